/** Before the work that a worker has is expected to end, in milliseconds, it gets more, so that it does not wait for it. */
const LEAD = 25;

interface Load {
  /** Seconds that the jobs are expected to take that it has. */
  readonly jobs: Map<string, number>;
  /** When they are expected to have been done, as `performance.now()`. */
  until: number;
}

interface Dealt<T> {
  readonly order: T;
  readonly preferred: string | undefined;
  readonly seconds: number;
}

/**
 * Deals orders to whichever worker is free first. Each gets one shortly before it has done what it has, those first that it is
 * preferred for, long ones before short ones.
 */
export class Dealer<T> {
  private readonly loads = new Map<string, Load>();
  private orders: Dealt<T>[] = [];
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param give called with a worker and an order for it; to call `began`
   * @param now in milliseconds
   */
  constructor(
    private readonly give: (worker: string, order: T) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Orders that have not been dealt. */
  get size(): number {
    return this.orders.length;
  }

  add(order: T, preferred: string | undefined, seconds: number): void {
    this.orders.push({ order, preferred, seconds });
  }

  /** A worker has been given a job. */
  began(worker: string, job: string, seconds: number): void {
    const load = this.loads.get(worker) ?? { jobs: new Map<string, number>(), until: 0 };
    this.loads.set(worker, load);
    load.jobs.set(job, seconds);
    load.until = Math.max(load.until, this.now()) + 1000 * seconds;
  }

  /** It has done it, or it has been taken back. */
  ended(worker: string, job: string): void {
    const load = this.loads.get(worker);
    if (!load?.jobs.delete(job)) return;
    load.until = this.now() + [...load.jobs.values()].reduce((sum, seconds) => sum + 1000 * seconds, 0);
    if (load.jobs.size === 0) this.loads.delete(worker);
  }

  /**
   * Gives those workers orders that are free, now and as soon as one is.
   * @param workers that are there, at least one
   */
  deal(workers: ReadonlySet<string>): void {
    clearTimeout(this.timer);
    while (this.orders.length > 0) {
      const now = this.now();
      // One with two jobs is late: what it has not begun is enough.
      const free = [...workers]
        .map((worker) => ({ worker, jobs: this.loads.get(worker)?.jobs.size ?? 0, left: this.left(worker, now) }))
        .filter(({ jobs }) => jobs < 2)
        .sort((a, b) => a.left - b.left);
      if (free.length === 0) return;
      const [{ worker, left }] = free;
      if (left > LEAD) {
        this.timer = setTimeout(() => this.deal(workers), left - LEAD);
        return;
      }
      this.give(worker, this.take(worker));
    }
  }

  private left(worker: string, now: number): number {
    const load = this.loads.get(worker);
    return load ? Math.max(0, load.until - now) : 0;
  }

  private take(worker: string): T {
    const own = this.orders.filter(({ preferred }) => preferred === worker);
    const best = (own.length > 0 ? own : this.orders).reduce((a, b) => (b.seconds > a.seconds ? b : a));
    this.orders = this.orders.filter((one) => one !== best);
    return best.order;
  }

  /** All that has not been dealt, which is then somebody else's. */
  takeAll(): T[] {
    const left = this.orders.map(({ order }) => order);
    this.orders = [];
    return left;
  }

  close(): void {
    clearTimeout(this.timer);
  }
}
