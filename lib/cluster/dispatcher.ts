import type { Job, Queue, QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { BlobStore } from './blobs';
import { partId } from './partJob';
import type { PartJob } from './partJob';
import { checkBlobRef, PayloadError } from './payloads';
import type { BlobRef } from './payloads';
import type { RedisAccess } from './redis';

/** How often a job is tried by workers before it counts as failed; the pause between two tries, in milliseconds. */
const ATTEMPTS = 3;
const BACKOFF = 500;
/** How often a job is put into the queue again, because what came of it was refused, or lost with Redis. */
const MOST_REPAIRS = 20;
const MOST_REFUSALS = 3;
/** Jobs whose result nobody has taken stay for a coordinator that was killed and comes back; those that failed, for people. */
const KEEP_COMPLETED = { age: 3600, count: 1000 };
const KEEP_FAILED = { age: 7 * 24 * 3600, count: 1000 };

/** What a worker says of a job: where its result is, or which of its payloads it did not find. */
export type PartReply = BlobRef | { readonly missing: readonly string[] };

/** A job that nobody could do. */
export class JobDropped extends Error {
  override readonly name = 'JobDropped';
}

/** What has happened to the jobs of a coordinator. */
export interface DispatchCounts {
  jobs: number;
  results: number;
  /** Results that were not what they should be. */
  refused: number;
  /** Jobs put into the queue again. */
  repaired: number;
  /** Jobs that had been done before, to have a state again that was lost. */
  recomputed: number;
  dropped: number;
}

interface Outstanding<T> {
  readonly id: string;
  readonly job: PartJob;
  /** Sees to it that the payloads that the job names are there. */
  readonly restore: () => Promise<void>;
  readonly read: (bytes: Uint8Array) => T;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
  /** Whether the queue has been given it. */
  added: boolean;
  repairs: number;
  refusals: number;
  /** What is being done about it; one thing at a time. */
  handling: Promise<void>;
}

/**
 * Gets jobs done by whatever workers there are. Whoever does a job, and however often, its result is taken once. Redis may
 * lose anything at any time: whoever submits a job can restore what it needs.
 */
export class Dispatcher {
  readonly counts: DispatchCounts = { jobs: 0, results: 0, refused: 0, repaired: 0, recomputed: 0, dropped: 0 };
  readonly blobs: BlobStore;
  private readonly outstanding = new Map<string, Outstanding<unknown>>();
  private waiting: Outstanding<unknown>[] = [];
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  private constructor(
    private readonly access: RedisAccess,
    private readonly redis: Redis,
    private readonly queue: Queue,
    private readonly events: QueueEvents,
    private readonly priority: number | undefined,
  ) {
    this.blobs = new BlobStore(redis, access);
  }

  /**
   * @param pollSeconds how often to look at jobs of which no event has come, for events can be lost with a connection
   * @param priority of the jobs among those of other coordinators: 1 comes first; undefined: before all with one
   */
  static async open(
    access: RedisAccess,
    queueName: string,
    { pollSeconds = 5, priority }: { pollSeconds?: number; priority?: number },
  ): Promise<Dispatcher> {
    const { Queue, QueueEvents } = access.bullmq;
    const redis = access.connect();
    const queue = new Queue(queueName, { connection: redis, prefix: access.name });
    await queue.waitUntilReady();
    // From the event after the last one, whenever reading begins.
    const [last] = await redis.xrevrange(access.key(queueName, 'events'), '+', '-', 'COUNT', 1);
    const events = new QueueEvents(queueName, {
      connection: access.connect(),
      prefix: access.name,
      lastEventId: last?.[0] ?? '0-0',
    });
    const dispatcher = new Dispatcher(access, redis, queue, events, priority);
    queue.on('error', (error) => access.onError(error));
    events.on('error', (error) => access.onError(error));
    events.on('completed', ({ jobId, returnvalue }) =>
      dispatcher.handle(jobId, (o) => dispatcher.accept(o, returnvalue as unknown)),
    );
    events.on('failed', ({ jobId, failedReason }) =>
      dispatcher.handle(jobId, (o) => dispatcher.failed(o, failedReason)),
    );
    // The job is there already, perhaps done: put there by this coordinator before it was killed.
    events.on('duplicated', ({ jobId }) => dispatcher.handle(jobId, (o) => dispatcher.look(o)));
    dispatcher.timer = setInterval(() => dispatcher.poll(), 1000 * pollSeconds);
    return dispatcher;
  }

  /** Jobs that are waited for. */
  get open(): number {
    return this.outstanding.size;
  }

  /**
   * Puts a job into the queue. Jobs submitted in one go are put there in their order.
   * @param restore puts back what Redis has lost of the payloads that the job names
   * @param read what the result's bytes say; throws {PayloadError} if they are not what they should be
   * @throws {JobDropped} if nobody could do it
   */
  submit<T>(job: PartJob, restore: () => Promise<void>, read: (bytes: Uint8Array, id: string) => T): Promise<T> {
    const id = partId(job);
    return new Promise((resolve, reject) => {
      const outstanding: Outstanding<T> = {
        ...{ id, job, restore, resolve, reject, added: false, repairs: 0, refusals: 0, handling: Promise.resolve() },
        read: (bytes) => read(bytes, id),
      };
      this.counts.jobs++;
      this.outstanding.set(id, outstanding as Outstanding<unknown>);
      if (this.waiting.push(outstanding as Outstanding<unknown>) === 1) setImmediate(() => void this.flush());
    });
  }

  private async flush(): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    try {
      await this.add(batch);
    } catch (error) {
      for (const { id, reject } of batch) {
        this.outstanding.delete(id);
        reject(
          new Error(
            `cluster: putting jobs into the queue failed: ${this.access.address.redact((error as Error).message)}`,
          ),
        );
      }
    }
  }

  private async add(batch: readonly Outstanding<unknown>[]): Promise<void> {
    const options = {
      attempts: ATTEMPTS,
      backoff: { type: 'fixed', delay: BACKOFF },
      removeOnComplete: KEEP_COMPLETED,
      removeOnFail: KEEP_FAILED,
      ...(this.priority === undefined ? {} : { priority: this.priority }),
    };
    await this.queue.addBulk(
      batch.map(({ id, job }) => ({ name: 'part', data: job, opts: { ...options, jobId: id } })),
    );
    for (const o of batch) o.added = true;
  }

  /** Does something about a job that is still waited for, after what is being done about it already. */
  private handle(id: string, what: (o: Outstanding<unknown>) => Promise<void>): void {
    const o = this.outstanding.get(id);
    if (!o) return;
    o.handling = o.handling.then(async () => {
      if (!this.outstanding.has(id) || this.closed) return;
      try {
        await what(o);
      } catch (error) {
        if (!this.closed) this.access.onError(error as Error);
      }
    });
  }

  private poll(): void {
    for (const { id, added } of this.outstanding.values()) if (added) this.handle(id, (o) => this.look(o));
  }

  /** Looks how a job is, without having been told. */
  private async look(o: Outstanding<unknown>): Promise<void> {
    // The state first: a job that was read before it ended has no result yet.
    const state = await this.queue.getJobState(o.id);
    if (state === 'unknown') return this.repair(o, 'the queue has lost it');
    if (state !== 'completed' && state !== 'failed') return;
    const job = (await this.queue.getJob(o.id)) as Job<PartJob, unknown> | undefined;
    if (!job) return this.repair(o, 'the queue has lost it');
    return state === 'completed' ? this.accept(o, job.returnvalue) : this.failed(o, job.failedReason);
  }

  /** Takes the result of a job. */
  private async accept(o: Outstanding<unknown>, reply: unknown): Promise<void> {
    if (typeof reply === 'object' && reply !== null && 'missing' in reply) {
      return this.repair(o, 'a worker did not find its payloads');
    }
    try {
      try {
        checkBlobRef('result', reply);
      } catch (error) {
        throw new PayloadError('DAMAGED', (error as Error).message);
      }
      const ref = reply as BlobRef;
      const bytes = await this.blobs.get(ref);
      if (bytes === undefined) return await this.repair(o, 'its result is lost');
      const value = o.read(bytes);
      this.counts.results++;
      this.outstanding.delete(o.id);
      // It has been taken: nobody needs it any more.
      this.blobs.drop([ref]);
      this.queue.remove(o.id).catch(() => undefined);
      o.resolve(value);
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      this.counts.refused++;
      o.refusals++;
      if (o.refusals >= MOST_REFUSALS)
        return this.drop(o, `${o.refusals} results were refused, the last: ${error.message}`);
      return this.repair(o, `its result was refused (${error.code}: ${error.message})`);
    }
  }

  private async failed(o: Outstanding<unknown>, reason: string): Promise<void> {
    // A job that a worker refused was damaged on its way: the next one may not be.
    if (reason.startsWith('refused')) {
      this.counts.refused++;
      if (++o.refusals < MOST_REFUSALS) return this.repair(o, reason);
    }
    return this.drop(o, reason);
  }

  /** Puts a job into the queue again, with everything that it needs. */
  private async repair(o: Outstanding<unknown>, reason: string): Promise<void> {
    if (++o.repairs > MOST_REPAIRS)
      return this.drop(o, `put into the queue ${o.repairs} times; the last time ${reason}`);
    this.counts.repaired++;
    try {
      await o.restore();
    } catch (error) {
      if (error instanceof JobDropped) return this.drop(o, `its state is lost, and ${error.message}`);
      throw error;
    }
    // An active job stays: whoever does it finds the payloads now.
    await this.queue.remove(o.id).catch(() => undefined);
    await this.add([o]);
  }

  private drop(o: Outstanding<unknown>, reason: string): Promise<void> {
    this.counts.dropped++;
    this.outstanding.delete(o.id);
    o.reject(new JobDropped(this.access.address.redact(reason)));
    return Promise.resolve();
  }

  /** Takes back what nobody has done yet. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    const left = [...this.outstanding.keys()];
    this.outstanding.clear();
    // Without a connection they stay; a worker that does one does no harm.
    if (this.redis.status === 'ready')
      await Promise.all(left.map((id) => this.queue.remove(id).catch(() => undefined)));
    await Promise.allSettled([this.events.close(), this.queue.close()]);
  }
}
