import { mean } from './statistics';
import { meanOfLast, type LossPoint } from './training';

/** Losses below count as this much: what is left there is rounding. */
export const LOSS_FLOOR = 1e-8;

/** How a run ended: `stuck` above half the initial loss; `diverged` above the initial loss, or not finite at any evaluation. */
export type Outcome = 'trained' | 'stuck' | 'diverged';

/** One training run in numbers. */
export interface RunMetrics {
  readonly initialLoss: number;
  /** Mean of the last five evaluations; infinite after a divergence to values that are not finite. */
  readonly finalLoss: number;
  /** Mean over all evaluations of ln(loss / initial loss): below 0, the lower the faster. Infinite like the final loss. */
  readonly meanLogLoss: number;
  /** Mean of ln(loss) over the last quarter of the evaluations minus that over the quarter before: above 0, the loss rises. */
  readonly lateChange: number;
  readonly outcome: Outcome;
}

/** Metrics of a run's losses, of which the first is the initial one. */
export function runMetrics(losses: readonly LossPoint[]): RunMetrics {
  const initialLoss = losses[0].loss;
  if (!losses.every(({ loss }) => Number.isFinite(loss))) {
    return {
      initialLoss,
      finalLoss: Infinity,
      meanLogLoss: Infinity,
      lateChange: Infinity,
      outcome: 'diverged',
    };
  }
  const finalLoss = meanOfLast(losses);
  const logs = losses.map(({ loss }) => Math.log(Math.max(loss, LOSS_FLOOR) / Math.max(initialLoss, LOSS_FLOOR)));
  const quarter = Math.max(1, Math.floor(logs.length / 4));
  return {
    initialLoss,
    finalLoss,
    meanLogLoss: mean(logs),
    lateChange: mean(logs.slice(-quarter)) - mean(logs.slice(-2 * quarter, -quarter)),
    outcome: finalLoss > initialLoss ? 'diverged' : finalLoss > initialLoss / 2 ? 'stuck' : 'trained',
  };
}
