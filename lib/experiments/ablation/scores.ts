import { LOSS_FLOOR, type RunMetrics } from '../metrics';
import { mean } from '../statistics';
import { runScore } from '../validation';

/** Decades by which a run that diverged counts as having risen. */
const DIVERGED = 3;

/**
 * How good weights are on networks: mean over all runs of {@link runScore}, log10 of the final loss with a penalty for a run
 * that sticks or diverges. Lower is better.
 */
export function networkScore(runs: readonly RunMetrics[]): number {
  return mean(runs.map(runScore));
}

/**
 * How good weights are on problems whose losses do not compare: mean over all runs of log10(final loss / initial loss), at
 * least log10 of {@link LOSS_FLOOR}. Lower is better.
 */
export function fallScore(runs: readonly RunMetrics[]): number {
  return mean(
    runs.map(({ initialLoss, finalLoss, outcome }) =>
      outcome === 'diverged' ? DIVERGED : Math.log10(Math.max(finalLoss / initialLoss, LOSS_FLOOR)),
    ),
  );
}

/**
 * Whether scores are worse than others: true if the lowest of them is above the highest of the others, false if it is the
 * other way round, else undecided (null), as with fewer than two on a side.
 */
export function areWorse(scores: readonly number[], others: readonly number[]): boolean | null {
  if (scores.length < 2 || others.length < 2) return null;
  if (Math.min(...scores) > Math.max(...others)) return true;
  return Math.max(...scores) < Math.min(...others) ? false : null;
}
