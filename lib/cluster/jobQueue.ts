import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, JobsOptions, Queue, QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import type { RedisAccess } from './redis';

/** How long closing a queue may take, in milliseconds. */
const CLOSE_PATIENCE = 3000;
/** How often a job is tried by workers before it counts as failed; the pause between two tries, in milliseconds. */
export const ATTEMPTS = 3;
const BACKOFF = 500;
/** Jobs whose result nobody has taken stay for a coordinator that was killed and comes back; those that failed, for people. */
const KEEP_COMPLETED = { age: 3600, count: 1000 };
const KEEP_FAILED = { age: 7 * 24 * 3600, count: 1000 };

/** What a queue tells of its jobs. */
export interface QueueListener {
  completed(queue: JobQueue, id: string, reply: unknown): void;
  failed(queue: JobQueue, id: string, reason: string): void;
  /** A job that was added is there already, perhaps done: put there by this coordinator before it was killed. */
  duplicated(queue: JobQueue, id: string): void;
}

/** How a job is, without having been told. */
export type JobOutcome =
  | { readonly is: 'lost' | 'open' }
  | { readonly is: 'completed'; readonly reply: unknown }
  | { readonly is: 'failed'; readonly reason: string };

export interface NewJob {
  readonly id: string;
  readonly data: unknown;
  readonly attempts: number;
}

/** A queue of BullMQ and its events. */
export class JobQueue {
  private constructor(
    readonly name: string,
    private readonly queue: Queue,
    private readonly events: QueueEvents,
    private readonly eventsConnection: Redis,
    private readonly priority: number | undefined,
  ) {}

  /** @param priority of the jobs among those of other coordinators: 1 comes first; undefined: before all with one */
  static async open(
    access: RedisAccess,
    redis: Redis,
    name: string,
    listener: QueueListener,
    priority?: number,
  ): Promise<JobQueue> {
    const { Queue, QueueEvents } = access.bullmq;
    const queue = new Queue(name, { connection: redis, prefix: access.name });
    await queue.waitUntilReady();
    // From the event after the last one, whenever reading begins.
    const [last] = await redis.xrevrange(access.key(name, 'events'), '+', '-', 'COUNT', 1);
    // It has a connection of its own, like this one.
    const events = new QueueEvents(name, { connection: redis, prefix: access.name, lastEventId: last?.[0] ?? '0-0' });
    const self = new JobQueue(name, queue, events, (await events.backend.client) as unknown as Redis, priority);
    queue.on('error', (error) => access.onError(error));
    events.on('error', (error) => access.onError(error));
    events.on('completed', ({ jobId, returnvalue }) => listener.completed(self, jobId, returnvalue as unknown));
    events.on('failed', ({ jobId, failedReason }) => listener.failed(self, jobId, failedReason));
    events.on('duplicated', ({ jobId }) => listener.duplicated(self, jobId));
    return self;
  }

  /** Puts jobs into the queue, in their order. */
  async add(jobs: readonly NewJob[]): Promise<void> {
    await this.queue.addBulk(
      jobs.map(({ id, data, attempts }) => {
        const options: JobsOptions = {
          jobId: id,
          attempts,
          backoff: { type: 'fixed', delay: BACKOFF },
          removeOnComplete: KEEP_COMPLETED,
          removeOnFail: KEEP_FAILED,
          ...(this.priority === undefined ? {} : { priority: this.priority }),
        };
        return { name: 'part', data, opts: options };
      }),
    );
  }

  /** Takes a job out of the queue, unless somebody is at it. */
  async remove(id: string): Promise<void> {
    await this.queue.remove(id).catch(() => undefined);
  }

  async look(id: string): Promise<JobOutcome> {
    // The state first: a job that was read before it ended has no result yet.
    const state = await this.queue.getJobState(id);
    if (state === 'unknown') return { is: 'lost' };
    if (state !== 'completed' && state !== 'failed') return { is: 'open' };
    const job = (await this.queue.getJob(id)) as Job<unknown, unknown> | undefined;
    if (!job) return { is: 'lost' };
    return state === 'completed'
      ? { is: 'completed', reply: job.returnvalue }
      : { is: 'failed', reason: job.failedReason };
  }

  async close(): Promise<void> {
    // Without a connection BullMQ may wait for ever, or leave one behind that tries again for ever.
    const patience = new AbortController();
    const closed = Promise.allSettled([this.events.close(), this.queue.close()]);
    await Promise.race([closed, sleep(CLOSE_PATIENCE, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    this.eventsConnection.on('error', () => undefined);
    this.eventsConnection.disconnect();
  }
}

/** Deletes a queue with all its jobs, whoever is at them. */
export async function deleteQueue(access: RedisAccess, redis: Redis, name: string): Promise<void> {
  const queue = new access.bullmq.Queue(name, { connection: redis, prefix: access.name, skipMetasUpdate: true });
  queue.on('error', (error) => access.onError(error));
  try {
    await queue.obliterate({ force: true });
  } finally {
    await queue.close();
  }
}
