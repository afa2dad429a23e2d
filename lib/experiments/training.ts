import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { batchSource, type Sampling } from '../problems/batches';
import { zerosLike, type Problem } from '../problems/problem';
import { createRandom } from '../random';
import type { MakeOptimizer } from './baselines';

/** Training loss after some steps. */
export interface LossPoint {
  readonly step: number;
  /** Mean loss over all training samples; not finite after a divergence. */
  readonly loss: number;
}

export interface TrainingOptions {
  /** Determines the start and the batches: optimizers given the same seed see the same. */
  readonly seed: number;
  readonly steps: number;
  /** Steps between evaluations on all samples; step 0 and the last step are always evaluated. */
  readonly evaluateEvery: number;
  /** How minibatches are drawn; default: with replacement. */
  readonly sampling?: Sampling;
  /** Ends the run at the first evaluation that is not finite. */
  readonly stopOnDivergence?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvaluation?: (point: LossPoint) => void;
  /** After the last evaluation, with the parameters to evaluate; they are valid during the call only. */
  readonly onEnd?: (parameters: readonly Float32Array[]) => void;
}

export interface TrainingResult {
  readonly losses: readonly LossPoint[];
  /** Seconds in gradients and steps, without the evaluations. */
  readonly seconds: number;
}

/** Number of the last evaluations whose mean is reported beside the final loss. */
export const LAST_EVALUATIONS = 5;

/** Loss after the last step. */
export function finalLoss(losses: readonly LossPoint[]): number {
  return losses[losses.length - 1].loss;
}

/** Mean of the last five evaluations: less dependent on the last few batches than the final loss. */
export function meanOfLast(losses: readonly LossPoint[]): number {
  const last = losses.slice(-LAST_EVALUATIONS);
  return last.reduce((sum, { loss }) => sum + loss, 0) / last.length;
}

/** Whether the loss is to be measured after this step. */
export function isEvaluationStep(
  step: number,
  { steps, evaluateEvery }: { steps: number; evaluateEvery: number },
): boolean {
  return step === steps || step % evaluateEvery === 0;
}

/**
 * Trains a problem from a fresh start.
 * @throws the signal's reason when aborted.
 */
export async function train(
  problem: Problem,
  makeOptimizer: MakeOptimizer,
  options: TrainingOptions,
): Promise<TrainingResult> {
  const parameters = problem.initial(options.seed);
  const gradients = zerosLike(problem);
  const batch = new Int32Array(problem.sampleCount > 0 ? problem.batchSize : 0);
  const draw = batchSource(problem, options.sampling ?? 'replacement', createRandom(options.seed, 1));
  const optimizer = makeOptimizer(parameters);
  const losses: LossPoint[] = [];
  let seconds = 0;
  const evaluate = (step: number): void => {
    const point = { step, loss: problem.fullLoss(optimizer.evaluationParameters?.() ?? parameters) };
    losses.push(point);
    options.onEvaluation?.(point);
  };
  try {
    evaluate(0);
    let started = performance.now();
    for (let step = 1; step <= options.steps; step++) {
      draw(batch);
      problem.lossAndGradient(parameters, batch, gradients);
      optimizer.step(gradients);
      if (isEvaluationStep(step, options)) {
        seconds += (performance.now() - started) / 1000;
        evaluate(step);
        await eventLoopTurn();
        options.signal?.throwIfAborted();
        if (options.stopOnDivergence && !Number.isFinite(finalLoss(losses))) break;
        started = performance.now();
      }
    }
    options.onEnd?.(optimizer.evaluationParameters?.() ?? parameters);
  } finally {
    optimizer.dispose?.();
  }
  return { losses, seconds };
}
