/** Meta-objective of a step: ln(f/f₀ + ε), or f/f₀ itself. */
export type MetaObjective = 'log' | 'linear';

/** ε of the paper: an objective below a millionth of the initial one counts for nothing more. */
export const PAPER_LOSS_FLOOR = 1e-6;
/** Bound of ln(f/f₀ + ε); a problem that reaches it is given up. */
const LOG_CEILING = 7;
const LINEAR_CEILING = Math.exp(LOG_CEILING);

/**
 * Meta-loss of an objective value. It is bounded, by 7 or e^7; a value that is no number counts as the bound.
 * @param start f₀ of the trajectory. The paper adds 1e-6 to it; here nothing, because losses are scaled by 10^±3.
 * @param floor ε
 */
export function metaLossOf(objective: MetaObjective, value: number, start: number, floor: number): number {
  const ratio = Math.max(value / start, 0);
  const loss = objective === 'log' ? Math.log(ratio + floor) : ratio;
  const ceiling = objective === 'log' ? LOG_CEILING : LINEAR_CEILING;
  return loss < ceiling ? loss : ceiling;
}

/** Derivative of the meta-loss with respect to the value; 0 at the bounds. */
export function metaSlopeOf(objective: MetaObjective, value: number, start: number, floor: number): number {
  const ratio = value / start;
  if (!(ratio >= 0 && ratio + floor < LINEAR_CEILING)) return 0;
  return objective === 'log' ? 1 / (start * (ratio + floor)) : 1 / start;
}

/** Whether a problem with this value has left all bounds. */
export function isGivenUp(value: number, start: number): boolean {
  return metaLossOf('log', value, start, 0) >= 0.99 * LOG_CEILING;
}
