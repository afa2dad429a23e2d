/** How much shorter an iteration of two workers must become for a family to move: a move costs the transfer of a state. */
const WORTH_MOVING = 0.95;
/**
 * Families move no more often than this, in milliseconds, so that the estimates follow; sooner after a worker has come or gone,
 * when half of the time since then has passed since they moved.
 */
const BETWEEN_MOVES = 5000;
/** Least weight of a measurement in the estimates of work and speed, as an exponent; a family's first ones count for more. */
const WEIGHT = 0.1;
/** How far a worker's pace goes towards that of the others in every iteration, for a worker without families is not seen any more. */
const DRIFT = 0.01;

/**
 * Which worker does the parts of which family. A family stays where it is, for its state is there, unless its worker has gone
 * or another division is clearly quicker.
 */
export class Homes {
  private readonly homes = new Map<number, string>();
  /** Seconds that a family's part takes on a worker of pace 1, estimated. */
  private readonly costs: number[];
  /** Seconds per unit of these; a worker of whom nothing is known has the pace of the others. */
  private readonly paces = new Map<string, number>();
  /** Which worker did a family's latest part. */
  private readonly latest = new Map<number, string>();
  /** How often each family's part has been measured. */
  private readonly measured: number[];
  private movedAt = -Infinity;
  private changedAt = -Infinity;
  private workers = '';

  /** @param costs of the families' parts, relative to each other, as far as they are known beforehand */
  constructor(costs: readonly number[]) {
    this.costs = [...costs];
    this.measured = costs.map(() => 0);
  }

  /** @returns undefined where no worker is known */
  of(family: number): string | undefined {
    return this.homes.get(family);
  }

  /** Seconds that a family's next part takes where it is; undefined: nothing is known yet. */
  expected(family: number): number | undefined {
    const pace = this.paces.get(this.homes.get(family) ?? '');
    return pace === undefined ? undefined : this.costs[family] * pace;
  }

  /** Of a part that a worker has done. */
  done(family: number, worker: string, seconds: number): void {
    if (!this.homes.has(family)) this.homes.set(family, worker);
    // The first part of a family in a process compiles.
    const isFirst = this.latest.get(family) !== worker;
    this.latest.set(family, worker);
    if (isFirst || !(seconds > 0)) return;
    const pace = this.paces.get(worker) ?? this.usualPace() ?? seconds / this.costs[family];
    // Whether the family or the worker was the reason is seen from the others.
    const ratio = seconds / (this.costs[family] * pace);
    this.costs[family] *= ratio ** Math.max(WEIGHT, 1 / (2 + this.measured[family]++));
    this.paces.set(worker, pace * ratio ** WEIGHT);
  }

  /**
   * Divides the families among the workers that are there. To be called before every iteration.
   * @param now in milliseconds
   */
  divide(workers: ReadonlySet<string>, now: number): void {
    for (const [family, worker] of this.homes) if (!workers.has(worker)) this.homes.delete(family);
    for (const worker of this.paces.keys()) if (!workers.has(worker)) this.paces.delete(worker);
    if (workers.size === 0) return;
    const usual = this.usualPace();
    for (const [worker, pace] of this.paces) this.paces.set(worker, pace * (usual! / pace) ** DRIFT);
    const loads = [...workers]
      .sort()
      .map((worker) => new Load(worker, this.paces.get(worker) ?? usual ?? 1, this.costs));
    const byCost = this.costs.map((_, family) => family).sort((a, b) => this.costs[b] - this.costs[a] || a - b);
    for (const family of byCost) {
      const home = loads.find(({ worker }) => worker === this.homes.get(family));
      const load = home ?? loads.reduce((best, one) => (one.with(family) < best.with(family) ? one : best));
      load.add(family);
    }
    const names = [...workers].sort().join(' ');
    if (names !== this.workers) this.changedAt = now;
    this.workers = names;
    if (now - this.movedAt >= Math.min(BETWEEN_MOVES, (now - this.changedAt) / 2)) {
      let moves = 0;
      // Each makes the longer of two shorter, so that it ends.
      while (moves < this.costs.length && relieve(loads)) moves++;
      if (moves > 0) this.movedAt = now;
    }
    for (const { worker, families } of loads) for (const family of families) this.homes.set(family, worker);
  }

  /** The median pace; undefined: none is known. */
  private usualPace(): number | undefined {
    const paces = [...this.paces.values()].sort((a, b) => a - b);
    return paces[Math.floor(paces.length / 2)];
  }
}

/** What a worker has to do in an iteration. */
class Load {
  readonly families = new Set<number>();
  private cost = 0;

  constructor(
    readonly worker: string,
    private readonly pace: number,
    private readonly costs: readonly number[],
  ) {}

  get seconds(): number {
    return this.pace * this.cost;
  }

  /** Its seconds with a family more, and one less. */
  with(more?: number, less?: number): number {
    const costOf = (family: number | undefined): number => (family === undefined ? 0 : this.costs[family]);
    return this.pace * (this.cost + costOf(more) - costOf(less));
  }

  add(family: number): void {
    this.families.add(family);
    this.cost += this.costs[family];
  }

  remove(family: number): void {
    this.families.delete(family);
    this.cost -= this.costs[family];
  }
}

/** Moves a family from the worker with the most to do to another, or swaps two, where that helps most; false: nothing helps. */
function relieve(loads: readonly Load[]): boolean {
  const most = loads.reduce((a, b) => (b.seconds > a.seconds ? b : a));
  let best = { seconds: WORTH_MOVING * most.seconds, apply: undefined as (() => void) | undefined };
  const consider = (seconds: number, apply: () => void): void => {
    if (seconds < best.seconds) best = { seconds, apply };
  };
  for (const other of loads) {
    if (other === most) continue;
    for (const family of most.families) {
      const move = (): void => {
        most.remove(family);
        other.add(family);
      };
      consider(Math.max(most.with(undefined, family), other.with(family)), move);
      for (const theirs of other.families) {
        const swap = (): void => {
          move();
          other.remove(theirs);
          most.add(theirs);
        };
        consider(Math.max(most.with(theirs, family), other.with(family, theirs)), swap);
      }
    }
  }
  best.apply?.();
  return best.apply !== undefined;
}
