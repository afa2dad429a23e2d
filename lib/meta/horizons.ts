import type { Random } from '../random';

/** Log-uniform numbers of steps; truncations have a fixed length. */
export type LogUniformHorizon = readonly [shortest: number, longest: number];

/**
 * Horizons of the released code (metaopt.py): trajectories of round(Exp(truncations)) + 1 truncations, each truncation of
 * round(Exp(steps)) + shortest steps. Most are short, some tens of thousands of steps long.
 */
export interface HeavyTailedHorizon {
  /** Mean of the exponential distribution of the number of truncations. */
  readonly truncations: number;
  /** Mean of the exponential distribution of a truncation's steps, and what is added to it. */
  readonly steps: number;
  readonly shortest: number;
}

/** How long trajectories and their truncations are. */
export type Horizon = LogUniformHorizon | HeavyTailedHorizon;

/** The paper's. */
export const PAPER_HORIZON: HeavyTailedHorizon = { truncations: 40, steps: 200, shortest: 50 };

export function isHeavyTailed(horizon: Horizon): horizon is HeavyTailedHorizon {
  return !Array.isArray(horizon);
}

/** A draw of the exponential distribution. */
function exponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random.uniform());
}

/**
 * Steps of a new trajectory.
 * @param factor of the family, on the longest horizon
 */
export function drawSteps([shortest, longest]: LogUniformHorizon, factor: number, random: Random): number {
  const top = Math.max(longest * factor, shortest);
  return Math.round(Math.exp(Math.log(shortest) + (Math.log(top) - Math.log(shortest)) * random.uniform()));
}

/**
 * Steps of the next truncation.
 * @param fixed with a log-uniform horizon
 */
export function drawTruncation(horizon: Horizon, fixed: number, random: Random): number {
  return isHeavyTailed(horizon) ? Math.round(exponential(random, horizon.steps)) + horizon.shortest : fixed;
}

/**
 * Truncations of a new trajectory.
 * @param fixed steps of a truncation, with a log-uniform horizon
 * @param factor of the family, on the longest log-uniform horizon or the mean number of truncations
 */
export function drawTruncations(horizon: Horizon, fixed: number, factor: number, random: Random): number {
  if (isHeavyTailed(horizon)) return Math.round(exponential(random, factor * horizon.truncations)) + 1;
  return Math.max(1, Math.ceil(drawSteps(horizon, factor, random) / fixed));
}
