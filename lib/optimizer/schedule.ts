/** How the first steps of an optimizer are shortened. */
export interface Warmup {
  /** Number of steps it lasts. */
  readonly steps: number;
  /** Factor of the first step, in (0, 1]; from there it rises geometrically to 1. */
  readonly from: number;
}

/** How the steps of a long run shrink. */
export interface Annealing {
  /** Number of steps before it begins. */
  readonly after: number;
  /** Step t > after is multiplied by (after/t)^power; power > 0. */
  readonly power: number;
}

/** What weights say of an optimizer's start and of long runs. Each part is optional: without it there is no such thing. */
export interface Schedule {
  /** Bounds within which any initial learning rate is held. */
  readonly initialLearningRateRange?: readonly [lowest: number, highest: number];
  readonly warmup?: Warmup;
  readonly annealing?: Annealing;
}

export const NO_WARMUP: Warmup = { steps: 0, from: 1 };
export const NO_ANNEALING: Annealing = { after: Infinity, power: 1 };

/**
 * Checks a schedule that came from a file or a caller.
 * @throws {RangeError} naming the part, what was expected and what came
 */
export function checkSchedule({ initialLearningRateRange: range, warmup, annealing }: Schedule): void {
  const check = (name: string, value: unknown, expected: string, holds: boolean): void => {
    if (value !== undefined && !holds) {
      throw new RangeError(`weights: ${name}: expected ${expected}, got ${JSON.stringify(value)}`);
    }
  };
  check(
    'initialLearningRateRange',
    range,
    'two numbers from 1e-14 to 1e14 in ascending order',
    Array.isArray(range) && range[0] >= 1e-14 && range[1] >= range[0] && range[1] <= 1e14,
  );
  check(
    'warmup',
    warmup,
    'steps, a whole number, and from, a number in (0, 1]',
    Number.isInteger(warmup?.steps) && warmup!.steps >= 0 && warmup!.from > 0 && warmup!.from <= 1,
  );
  check(
    'annealing',
    annealing,
    'after, a number from 1, and power, a number above 0',
    (annealing?.after ?? 0) >= 1 && annealing!.power > 0 && Number.isFinite(annealing!.power),
  );
}

/** Where an optimizer starts when it is told this initial learning rate. */
export function heldInitialRate({ initialLearningRateRange }: Schedule, rate: number): number {
  const [lowest, highest] = initialLearningRateRange ?? [0, Infinity];
  return Math.min(Math.max(rate, lowest), highest);
}

/** Factor of the step with the given 0-based index. */
export function scheduleFactor(warmup: Warmup, annealing: Annealing, step: number): number {
  const start = step < warmup.steps ? warmup.from ** (1 - step / warmup.steps) : 1;
  const end = step > annealing.after ? (annealing.after / step) ** annealing.power : 1;
  return start * end;
}
