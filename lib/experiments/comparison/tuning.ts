import { geometricMean } from '../statistics';
import { LOSS_FLOOR, type RunMetrics } from '../metrics';
import type { Contestant } from './contestants';
import type { TaskRunner } from './runner';

/** Seeds that rates are chosen with; results are reported on others. */
export const TUNING_SEEDS: readonly number[] = [100, 101, 102];

/** Rates that get all tuning seeds after the first has seen every rate. */
export const FINALISTS = 3;

/** Geometric mean of the final losses; infinite if a run diverged. */
export function meanFinalLoss(runs: readonly RunMetrics[]): number {
  return geometricMean(
    runs.map(({ outcome, finalLoss }) => (outcome === 'diverged' ? Infinity : Math.max(finalLoss, LOSS_FLOOR))),
  );
}

/**
 * The rate with the lowest final loss, geometric mean over the seeds: every rate is tried with the first seed,
 * the best three of them with the others too.
 */
export async function tuneRate(
  runner: Pick<TaskRunner, 'runs'>,
  contestant: Contestant,
  rates: readonly number[],
  seeds: readonly number[] = TUNING_SEEDS,
): Promise<number> {
  const [first, ...others] = seeds;
  const tried: { rate: number; runs: RunMetrics[]; loss: number }[] = [];
  for (const rate of rates) {
    const runs = await runner.runs(contestant, rate, [first]);
    tried.push({ rate, runs, loss: meanFinalLoss(runs) });
  }
  // Stable: of equal rates, such as several that diverged, the lower comes first.
  const finalists = tried.sort((a, b) => (a.loss === b.loss ? 0 : a.loss - b.loss)).slice(0, FINALISTS);
  for (const finalist of finalists) {
    const runs = [...finalist.runs, ...(await runner.runs(contestant, finalist.rate, others))];
    finalist.loss = meanFinalLoss(runs);
  }
  return finalists.reduce((best, finalist) => (finalist.loss < best.loss ? finalist : best)).rate;
}

/** Runs that {@link tuneRate} does. */
export function tuningRuns(rates: readonly number[], seeds: readonly number[] = TUNING_SEEDS): number {
  return rates.length + Math.min(FINALISTS, rates.length) * (seeds.length - 1);
}
