import { Engine } from '../../optimizer/engine';
import { multiplierAt, resolveOptions, type OptimizerOptions } from '../../optimizer/options';
import { createRandom } from '../../random';
import type { PictureLandscape } from './catalogue';
import { BASELINES, descend, halfDecades, type Baseline, type Descent } from './descent';

/** What the learned optimizer did, with the signals in its state. */
export interface LearnedDescent extends Descent {
  /** Number of momentum timescales S. */
  readonly timescales: number;
  /** η of both coordinates before the step of this index: [steps + 1][2]. */
  readonly logRates: Float64Array;
  /**
   * ḡ/√λ of both coordinates at every timescale, fastest first: [steps + 1][2][S]. Near ±1 gradients agree, near 0 they
   * cancel. Zeros before the first step.
   */
  readonly momenta: Float64Array;
}

/**
 * Runs the learned optimizer and reads η and the momenta from its exported state after every step.
 * @param options as for `createOptimizer`; `initialLearningRate` is held within the weights' range
 * @throws TypeError or RangeError naming the option
 */
export function learnedDescent(
  landscape: PictureLandscape,
  start: readonly [number, number],
  steps: number,
  options: OptimizerOptions = {},
): LearnedDescent {
  const resolved = resolveOptions({ threads: 1, ...options });
  const { timescales } = resolved.weights.architecture;
  const logRates = new Float64Array(2 * (steps + 1));
  const momenta = new Float64Array(2 * timescales * (steps + 1));
  const engine = new Engine(resolved.weights, { threads: resolved.threads, stateBits: resolved.stateBits });
  const tensor = engine.addTensor(2, Math.log(resolved.initialLearningRate));
  const descent = descend(
    landscape,
    start,
    steps,
    ([parameter]) => ({
      step([gradient]) {
        engine.step([{ tensor, parameter, gradient }], {
          multiplier: multiplierAt(resolved, engine.iterations),
          weightDecay: resolved.weightDecay,
          clipNorm: resolved.clipNorm,
        });
      },
      evaluationParameters: () => [(engine.position(tensor) as Float32Array | undefined) ?? parameter],
      dispose: () => engine.dispose(),
    }),
    (step) => {
      const { cell } = engine.exportTensor(tensor);
      logRates.set(cell.logLearningRate, 2 * step);
      for (let i = 0; i < 2 * timescales; i++) {
        momenta[2 * timescales * step + i] = step === 0 ? 0 : cell.momentum[i] / Math.sqrt(cell.scale[i] + 1e-16);
      }
    },
  );
  return { ...descent, timescales, logRates, momenta };
}

/** Side of the grid of starts. */
export const STARTS_PER_SIDE = 3;

/** Starts on a grid of 3 × 3 cells over what is shown, row by row from the lower left: one in the middle part of each cell. */
export function gridStarts({ x, y }: PictureLandscape, seed: number, stream: number): [number, number][] {
  const random = createRandom(seed, stream);
  const within = ([low, high]: readonly [number, number], cell: number): number => {
    const share = (cell + 0.2 + 0.6 * random.uniform()) / STARTS_PER_SIDE;
    return Math.fround(Number((low + (high - low) * share).toPrecision(4)));
  };
  return Array.from({ length: STARTS_PER_SIDE ** 2 }, (_, i) => [
    within(x, i % STARTS_PER_SIDE),
    within(y, Math.floor(i / STARTS_PER_SIDE)),
  ]);
}

/** Rates that baselines are tuned over. */
export const TUNING_RATES = halfDecades(-5, 1);
/** Heights below count as this. */
const FLOOR = 1e-8;
/** What a run that diverged counts as, in powers of ten. */
const DIVERGED = 10;

/** The mean over the starts of log10 of the final height. */
function score(
  landscape: PictureLandscape,
  starts: readonly [number, number][],
  steps: number,
  baseline: Baseline,
  rate: number,
): number {
  const logs = starts.map((start) => {
    const end = descend(landscape, start, steps, baseline.make(rate)).heights[steps];
    return Number.isFinite(end) ? Math.min(Math.log10(Math.max(end, FLOOR)), DIVERGED) : DIVERGED;
  });
  return logs.reduce((a, b) => a + b, 0) / logs.length;
}

/** For every baseline the rate of `TUNING_RATES` with the lowest mean of log10 of the final height over the starts. */
export function tunedRates(
  landscape: PictureLandscape,
  starts: readonly [number, number][],
  steps: number,
): Record<Baseline['id'], number> {
  const best = BASELINES.map((baseline) => {
    const scores = TUNING_RATES.map((rate) => score(landscape, starts, steps, baseline, rate));
    return [baseline.id, TUNING_RATES[scores.indexOf(Math.min(...scores))]] as const;
  });
  return Object.fromEntries(best) as Record<Baseline['id'], number>;
}
