import { heldInitialRate } from '../../../optimizer/schedule';
import type { PictureLandscape } from '../catalogue';
import { descend } from '../descent';
import type { PagedOptimizer } from '../pageData';
import type { LearnedDescent } from '../trajectories';
import { LiveOptimizer } from './learnedOptimizer';

/** The initial rate that the learned optimizer makes of a wanted one. */
export function heldRate({ initialLearningRateRange }: PagedOptimizer, rate: number): number {
  return heldInitialRate({ initialLearningRateRange: initialLearningRateRange ?? undefined }, rate);
}

/** The learned optimizer's descent from any start, computed here; what `learnedDescent` computes with the addon. */
export function liveDescent(
  landscape: PictureLandscape,
  start: readonly [number, number],
  steps: number,
  optimizer: PagedOptimizer,
  rate: number,
): LearnedDescent {
  const { timescales } = optimizer.architecture;
  const logRates = new Float64Array(2 * (steps + 1));
  const momenta = new Float64Array(2 * timescales * (steps + 1));
  let live: LiveOptimizer;
  const descent = descend(
    landscape,
    start,
    steps,
    ([parameter]) => {
      live = new LiveOptimizer(optimizer, parameter, heldRate(optimizer, rate));
      return {
        step: ([gradient]) => live.step(gradient),
        evaluationParameters: () => [Float32Array.from(live.position)],
      };
    },
    (step) => {
      logRates.set(live.logRates, 2 * step);
      momenta.set(live.momenta, 2 * timescales * step);
    },
  );
  return { ...descent, timescales, logRates, momenta };
}
