import type { Redis } from 'ioredis';
import { homeQueueOf } from './engine';
import { deleteQueue, JobQueue } from './jobQueue';
import type { QueueListener } from './jobQueue';
import { isMember, isMemberId } from './presence';
import type { RedisAccess } from './redis';

/** For how many minutes a worker gets no jobs of its own after it took none, the first time; each time twice as long. */
const DEAF_MINUTES = 5;

/** The queues of a coordinator: that of all workers, and one for each worker that is there. */
export class WorkerQueues {
  private readonly queues = new Map<string, Promise<JobQueue>>();
  /** Queues that are being deleted. */
  private readonly leaving = new Map<string, Promise<void>>();
  private here = new Set<string>();
  private isClosed = false;
  /** Workers that have gone, of which late results may come. */
  private readonly gone = new Set<string>();
  /** Workers that said that they were there and took no jobs: for how many minutes they get none, and until when. */
  private readonly deaf = new Map<string, { readonly minutes: number; readonly until: number }>();

  constructor(
    private readonly access: RedisAccess,
    private readonly redis: Redis,
    /** Of the queue of all workers. */
    private readonly name: string,
    private readonly listener: QueueListener,
    private readonly priority: number | undefined,
  ) {}

  /** Workers that are there and take jobs, by their ids. */
  get workers(): ReadonlySet<string> {
    return this.here;
  }

  /**
   * @param ids of the workers that are there
   * @param leaving those that take no more jobs
   */
  setWorkers(ids: Iterable<string>, leaving: Iterable<string> = []): void {
    const before = this.here;
    this.here = new Set([...ids].filter((id) => !this.isDeaf(id)));
    for (const id of before) if (!this.here.has(id)) this.gone.add(id);
    for (const id of this.here) this.gone.delete(id);
    for (const id of leaving) this.gone.add(id);
  }

  /** A result has come from a worker, perhaps before it has said itself that it is there. */
  heardOf(id: string): void {
    if (!this.gone.has(id) && !this.isDeaf(id)) this.here.add(id);
  }

  private isDeaf(id: string): boolean {
    return performance.now() < (this.deaf.get(id)?.until ?? -Infinity);
  }

  /**
   * A worker takes no jobs: for a while it gets none of its own.
   * @returns for how many minutes
   */
  giveUp(id: string): number {
    const minutes = 2 * (this.deaf.get(id)?.minutes ?? DEAF_MINUTES / 2);
    this.deaf.set(id, { minutes, until: performance.now() + 60_000 * minutes });
    this.setWorkers(this.here);
    return minutes;
  }

  /** @param home a worker's id; undefined: the queue of all */
  nameOf(home: string | undefined): string {
    return home === undefined ? this.name : homeQueueOf(this.name, home);
  }

  of(home: string | undefined): Promise<JobQueue> {
    const name = this.nameOf(home);
    const known = this.queues.get(name);
    if (known) return known;
    const opened = (async () => {
      await this.leaving.get(name);
      const queue = await JobQueue.open(this.access, this.redis, name, this.listener, this.priority);
      try {
        if (this.isClosed) throw new Error('the queues are closed');
        // Somebody who was killed while deleting it has left it paused.
        if (home !== undefined) await queue.resume();
      } catch (error) {
        await queue.close();
        throw error;
      }
      return queue;
    })();
    this.queues.set(name, opened);
    opened.catch(() => this.queues.get(name) === opened && this.queues.delete(name));
    return opened;
  }

  /** Closes the queues of workers that have gone, and deletes them, except those that jobs are still to be taken from. */
  closeUnneeded(needed: Iterable<string | undefined>): void {
    const names = new Set([...this.here, ...needed, undefined].map((home) => this.nameOf(home)));
    for (const [name, queue] of this.queues) {
      if (names.has(name)) continue;
      this.queues.delete(name);
      const left: Promise<void> = queue
        .then((opened) => opened.close())
        .then(() => this.delete(name.slice(this.nameOf('').length)))
        .catch(() => undefined)
        .finally(() => this.leaving.get(name) === left && this.leaving.delete(name));
      this.leaving.set(name, left);
    }
  }

  /** Deletes the queues of workers that went while no coordinator was there. */
  async sweep(): Promise<void> {
    const [before, after] = [this.access.key(this.nameOf('')), ':meta'];
    for await (const keys of this.redis.scanStream({ match: `${before}*${after}`, count: 1000 })) {
      for (const key of keys as string[]) {
        const id = key.slice(before.length, -after.length);
        if (isMemberId(id) && !this.here.has(id)) await this.delete(id).catch(() => undefined);
      }
    }
  }

  /** Deletes the queue of a worker, unless it is there after all. */
  private async delete(id: string): Promise<void> {
    if (await isMember(this.redis, this.access, id)) return;
    await deleteQueue(this.access, this.redis, this.nameOf(id));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.allSettled([...this.queues.values()].map(async (queue) => (await queue).close()));
  }
}
