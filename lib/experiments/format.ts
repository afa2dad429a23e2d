/** A loss with three significant digits: 0.0621, 1.02e-5; `diverged` where it is not finite. */
export function formatLoss(loss: number): string {
  if (!Number.isFinite(loss)) return 'diverged';
  if (loss !== 0 && Math.abs(loss) < 1e-3) return loss.toExponential(2);
  return Number(loss.toPrecision(3)).toString();
}

/** A whole number with separators: 1,437. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en');
}

/** A share in percent with one decimal. */
export function formatPercent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Seconds, with a decimal below 100. */
export function formatSeconds(seconds: number): string {
  return `${seconds < 100 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/** A ratio with two significant digits: 6,200×, 0.45×. */
export function formatRatio(ratio: number): string {
  if (!Number.isFinite(ratio)) return '–';
  return `${Number(ratio.toPrecision(2)).toLocaleString('en', { maximumSignificantDigits: 2 })}×`;
}

/** A learning rate: 0.001, 3.16e-4. */
export function formatRate(rate: number): string {
  return rate >= 1e-3
    ? Number(rate.toPrecision(3)).toString()
    : rate.toExponential(rate.toExponential(2).includes('.00') ? 0 : 2);
}
