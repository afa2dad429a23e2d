import type { JobsOptions, Queue, QueueEvents, QueueEventsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { within } from './patience';
import { isWrongType } from './redis';
import type { RedisAccess } from './redis';

/** How long closing a queue may take, in milliseconds; without a connection BullMQ may wait for ever. */
const CLOSE_PATIENCE = 3000;
/** Before events are read again after one that could not be, in milliseconds. */
const EVENTS_PAUSE = 1000;
/** How often a connection for events is closed in a row before somebody is told. */
const MOST_CLOSED = 5;
/** How often a job is tried by workers before it counts as failed; the pause between two tries, in milliseconds. */
export const ATTEMPTS = 3;
const BACKOFF = 500;
/** Jobs whose result nobody has taken stay for a coordinator that was killed and comes back; those that failed, for people. */
const KEEP_COMPLETED = { age: 3600, count: 1000 };
const KEEP_FAILED = { age: 7 * 24 * 3600, count: 1000 };

const NO_EVENTS =
  'though others are there: does Redis take no more (maxclients)? Its jobs are looked at every few seconds instead';

/** What a queue tells of its jobs. */
export interface QueueListener {
  completed(queue: JobQueue, id: string, reply: unknown): void;
  failed(queue: JobQueue, id: string): void;
  /** A job that was added is there already, perhaps done: put there by this coordinator before it was killed. */
  duplicated(queue: JobQueue, id: string): void;
}

/** How a job is, without having been told. */
export type JobOutcome =
  /** Waiting: nobody has begun it. Damaged: what it says cannot be read by anybody. */
  /** Abandoned: somebody has begun it, and says no more that he is at it. */
  | { readonly is: 'lost' | 'active' | 'abandoned' | 'waiting' | 'damaged' }
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
    private readonly redis: Redis,
    private readonly queue: Queue,
    private readonly events: QueueEvents,
    private readonly eventsConnection: Redis,
    private readonly priority: number | undefined,
  ) {}

  private isClosed = false;

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
    queue.on('error', (error) => access.onError(error));
    await queue.waitUntilReady();
    // From the event after the last one, whenever reading begins.
    const [last] = await redis.xrevrange(access.key(name, 'events'), '+', '-', 'COUNT', 1);
    const eventsConnection = redis.duplicate();
    let closed = 0;
    eventsConnection.on('ready', () => (closed = 0));
    eventsConnection.on('close', () => {
      // Else the loss of all connections is said by `access`.
      closed = redis.status === 'ready' ? closed + 1 : 0;
      if (closed === MOST_CLOSED) access.say(`no connection for the events of queue ${name}, ${NO_EVENTS}`);
    });
    // BullMQ takes a duplicate of what it gets; it is to be this one, which can be closed at any time.
    eventsConnection.duplicate = () => eventsConnection;
    const options = {
      ...{ connection: eventsConnection, prefix: access.name },
      ...{ lastEventId: last?.[0] ?? '0-0', autorun: false },
    };
    const events = new QueueEvents(name, options);
    events.on('error', (error) => access.onError(error));
    const self = new JobQueue(name, redis, queue, events, eventsConnection, priority);
    events.on('completed', ({ jobId, returnvalue }) => listener.completed(self, jobId, returnvalue as unknown));
    events.on('failed', ({ jobId }) => listener.failed(self, jobId));
    events.on('duplicated', ({ jobId }) => listener.duplicated(self, jobId));
    // Not waited for: where Redis takes no more connections, jobs are looked at without events.
    self.read(access);
    return self;
  }

  /** Reads events. One that cannot be read ends that; those that come after the pause are read again. */
  private read(access: RedisAccess): void {
    this.events.run().catch((error: Error) => {
      if (this.isClosed) return;
      access.onError(error);
      (this.events.opts as QueueEventsOptions).lastEventId = '$';
      setTimeout(() => this.isClosed || this.read(access), EVENTS_PAUSE).unref();
    });
  }

  /** Lets workers take jobs again after a pause. */
  async resume(): Promise<void> {
    await this.queue.resume();
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
    const [data, reply, reason] = await this.fields(id, ['data', 'returnvalue', 'failedReason']);
    if (data === null) return { is: 'lost' };
    if (state === 'completed') return { is: 'completed', reply: parsed(reply) };
    if (state === 'failed') return { is: 'failed', reason: reason ?? 'no reason given' };
    if (parsed(data) === undefined) return { is: 'damaged' };
    if (state !== 'active') return { is: 'waiting' };
    return { is: (await this.redis.exists(this.queue.toKey(`${id}:lock`))) === 1 ? 'active' : 'abandoned' };
  }

  /** Not by BullMQ, which reads all fields or none: anybody may have written there. */
  private async fields(id: string, names: readonly string[]): Promise<(string | null)[]> {
    const key = this.queue.toKey(id);
    try {
      return await this.redis.hmget(key, ...names);
    } catch (error) {
      if (!isWrongType(error as Error)) throw error;
      // Nobody could take the job, nor the next one.
      await this.redis.unlink(key);
      return names.map(() => null);
    }
  }

  /** Says again what a job is. */
  async mend({ id, data }: Pick<NewJob, 'id' | 'data'>): Promise<void> {
    await this.redis.hset(this.queue.toKey(id), 'data', JSON.stringify(data));
  }

  /** Whether somebody is at one of its jobs. */
  async isInUse(): Promise<boolean> {
    return (await this.queue.getActiveCount()) > 0;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    // One that has never been there could not be closed otherwise.
    if (this.eventsConnection.status !== 'ready') this.eventsConnection.disconnect();
    await within(CLOSE_PATIENCE, Promise.allSettled([this.events.close(), this.queue.close()]));
    // BullMQ may leave a connection behind that tries again for ever.
    this.eventsConnection.on('error', () => undefined);
    this.eventsConnection.disconnect();
  }
}

/** What a JSON text says; undefined for anything else. */
function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '') as unknown;
  } catch {
    return undefined;
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
