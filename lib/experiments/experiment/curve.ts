import { runMetrics, type RunMetrics } from '../metrics';
import { isEvaluationStep, type LossPoint } from '../training';

/** One training run: its losses, and what the trained parameters are worth on held-out samples. */
export interface Curve {
  /** Loss at step 0 and at every evaluation; a run that diverged ends at its first loss that is not finite. */
  readonly losses: readonly number[];
  /** Share of held-out samples classified correctly, in [0, 1]; null where nothing is held out or the run diverged. */
  readonly accuracy: number | null;
  /** Seconds in gradients and steps. */
  readonly seconds: number;
}

export interface EvaluationTimes {
  readonly steps: number;
  readonly evaluateEvery: number;
}

/** The steps after which the loss is measured, 0 first. */
export function evaluationSteps(times: EvaluationTimes): number[] {
  const steps = [0];
  for (let step = 1; step <= times.steps; step++) if (isEvaluationStep(step, times)) steps.push(step);
  return steps;
}

/** Losses with their steps, as many as the run has. */
export function lossPoints({ losses }: Curve, times: EvaluationTimes): LossPoint[] {
  const steps = evaluationSteps(times);
  return losses.map((loss, i) => ({ step: steps[i], loss }));
}

/** Loss at every evaluation, infinite from a divergence on. */
export function completeLosses({ losses }: Curve, times: EvaluationTimes): number[] {
  return evaluationSteps(times).map((_, i) => losses[i] ?? Infinity);
}

/** The curve in numbers. */
export function curveMetrics(curve: Curve, times: EvaluationTimes): RunMetrics {
  return runMetrics(lossPoints(curve, times));
}
