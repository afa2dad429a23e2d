import { setTimeout as sleep } from 'node:timers/promises';
import type { JobsOptions, Queue, QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { within } from './patience';
import { isWrongType } from './redis';
import type { RedisAccess } from './redis';

/** How long closing a queue may take, in milliseconds; without a connection BullMQ may wait for ever. */
const CLOSE_PATIENCE = 3000;
/** Before events are read again after one that could not be, in milliseconds. */
const EVENTS_PAUSE = 1000;
/** Between two looks whether what was done has been taken, in milliseconds. */
const TAKEN_PAUSE = 50;
/** How often a connection for events is closed in a row before somebody is told. */
const MOST_CLOSED = 5;
/** How often a job is tried by workers before it counts as failed; the pause between two tries, in milliseconds. */
export const ATTEMPTS = 3;
const BACKOFF = 500;
/** Jobs whose result nobody has taken stay for a coordinator that was killed and comes back; those that failed, for people. */
const KEEP_COMPLETED = { age: 3600, count: 1000 };
const KEEP_FAILED = { age: 7 * 24 * 3600, count: 1000 };

/** What a queue tells of its jobs. */
export interface QueueListener {
  completed(id: string, reply: unknown): void;
  /** A job has failed; or one that was added is there already, perhaps done, put there before this coordinator was killed. */
  changed(queue: JobQueue, id: string): void;
}

/** Fields of a job that BullMQ reads as JSON; it can do nothing with a job where it cannot. */
const JSON_FIELDS = ['data', 'opts', 'progress', 'parent'] as const;
/** A job that lost its worker so often, and that BullMQ does not let fail by itself, is damaged in another way. */
const MOST_STALLS = 8;

/** How a job is, without having been told. */
export type JobOutcome =
  /**
   * Waiting: nobody has begun it. Abandoned: somebody has, and has let go of it. Damaged: what it says cannot be read by
   * anybody.
   */
  | { readonly is: 'lost' | 'active' | 'abandoned' | 'waiting' | 'damaged' }
  | { readonly is: 'completed'; readonly reply: unknown }
  | { readonly is: 'failed'; readonly reason: string };

export interface NewJob {
  readonly id: string;
  readonly data: unknown;
  readonly attempts: number;
}

/** What listens to the events of a queue. */
interface Ears {
  readonly events: QueueEvents;
  readonly connection: Redis;
}

/** A queue of BullMQ and its events. */
export class JobQueue {
  private isClosed = false;
  private ears: Ears | undefined;
  /** How often connections for events were closed in a row. */
  private closedInARow = 0;

  private constructor(
    readonly name: string,
    private readonly access: RedisAccess,
    private readonly redis: Redis,
    private readonly queue: Queue,
    private readonly listener: QueueListener,
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
    const queue = new access.bullmq.Queue(name, { connection: redis, prefix: access.name });
    queue.on('error', (error) => access.onError(error));
    await queue.waitUntilReady();
    // From the event after the last one, whenever reading begins.
    const [last] = await redis.xrevrange(access.key(name, 'events'), '+', '-', 'COUNT', 1);
    const self = new JobQueue(name, access, redis, queue, listener, priority);
    // Not waited for: where Redis takes no more connections, jobs are looked at without events.
    self.listen(last?.[0] ?? '0-0');
    return self;
  }

  /** Reads events after one. One that cannot be read ends that; those that come after a pause are read again. */
  private listen(after: string): void {
    const { access, name, listener } = this;
    const connection = this.redis.duplicate();
    connection.on('ready', () => (this.closedInARow = 0));
    connection.on('close', () => this.onClosed());
    // BullMQ takes a duplicate of what it gets; it is to be this one, which can be closed at any time.
    connection.duplicate = () => connection;
    const events = new access.bullmq.QueueEvents(name, {
      ...{ connection, prefix: access.name, lastEventId: after, autorun: false },
    });
    this.ears = { events, connection };
    events.on('error', (error) => access.onError(error));
    events.on('completed', ({ jobId, returnvalue }) => listener.completed(jobId, returnvalue as unknown));
    events.on('failed', ({ jobId }) => listener.changed(this, jobId));
    events.on('duplicated', ({ jobId }) => listener.changed(this, jobId));
    events.run().catch(async (error: Error) => {
      if (this.isClosed) return;
      access.onError(error);
      await deafen({ events, connection });
      setTimeout(() => this.isClosed || this.listen('$'), EVENTS_PAUSE).unref();
    });
  }

  private onClosed(): void {
    // Else the loss of all connections is said by `access`.
    this.closedInARow = this.redis.status === 'ready' && !this.isClosed ? this.closedInARow + 1 : 0;
    if (this.closedInARow !== MOST_CLOSED) return;
    this.access.say(
      `no connection for the events of queue ${this.name}, though others are there: does Redis take no more (maxclients)? ` +
        'Its jobs are looked at every few seconds instead',
    );
  }

  /** Lets workers take jobs again after a pause. */
  async resume(): Promise<void> {
    await this.queue.resume();
  }

  /** Puts jobs into the queue, in their order. Those that have failed in an earlier run are to be tried again. */
  async add(jobs: readonly NewJob[]): Promise<void> {
    const ids = jobs.map(({ id }) => id);
    // Asked for first, and not waited for before the jobs are sent: another place may be far.
    const [failed] = await Promise.all([
      this.redis.zmscore(this.queue.toKey('failed'), ...ids),
      this.addAsTheyAre(jobs),
    ]);
    const again = jobs.filter((_, k) => failed[k] !== null);
    if (again.length === 0) return;
    await Promise.all(again.map(({ id }) => this.remove(id)));
    await this.addAsTheyAre(again);
  }

  private async addAsTheyAre(jobs: readonly NewJob[]): Promise<void> {
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
    const [reply, reason, stalls, ...texts] = await this.fields(id, [
      ...['returnvalue', 'failedReason', 'stc'],
      ...JSON_FIELDS,
    ]);
    if (texts[0] === null) return { is: 'lost' };
    if (state === 'completed') return { is: 'completed', reply: parsed(reply) };
    if (state === 'failed') return { is: 'failed', reason: reason ?? 'no reason given' };
    const isDamaged = texts.some((text) => text !== null && parsed(text) === undefined);
    if (isDamaged || Number(stalls) > MOST_STALLS) return { is: 'damaged' };
    if (state !== 'active') return { is: 'waiting' };
    if ((await this.redis.exists(this.queue.toKey(`${id}:lock`))) === 1) return { is: 'active' };
    // One that has ended meanwhile has no lock either; the next look shows how.
    return { is: (await this.queue.getJobState(id)) === 'active' ? 'abandoned' : 'active' };
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

  /** Deletes what a job says; `remove` can then take it out of the queue, whoever is at it. */
  async discard(id: string): Promise<void> {
    const key = this.queue.toKey(id);
    await this.redis.unlink(key, `${key}:lock`);
  }

  /** Whether somebody is at one of its jobs. */
  async isInUse(): Promise<boolean> {
    return (await this.queue.getActiveCount()) > 0;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([this.ears && deafen(this.ears), within(CLOSE_PATIENCE, this.queue.close())]);
  }
}

async function deafen({ events, connection }: Ears): Promise<void> {
  // One that has never been there could not be closed otherwise.
  if (connection.status !== 'ready') disconnect(connection);
  await within(CLOSE_PATIENCE, events.close());
  // BullMQ may leave it behind, trying again for ever.
  disconnect(connection);
}

function disconnect(connection: Redis): void {
  connection.on('error', () => undefined);
  // ioredis waits for the end of one that has ended.
  if (connection.status !== 'end') connection.disconnect();
}

/** What a JSON text says; undefined for anything else. */
function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '') as unknown;
  } catch {
    return undefined;
  }
}

/** Does something with a queue whose jobs are not to be listened to. */
async function withQueue(
  access: RedisAccess,
  redis: Redis,
  name: string,
  what: (queue: Queue) => Promise<void>,
): Promise<void> {
  const queue = new access.bullmq.Queue(name, { connection: redis, prefix: access.name, skipMetasUpdate: true });
  queue.on('error', (error) => access.onError(error));
  try {
    await what(queue);
  } finally {
    await queue.close();
  }
}

/** Deletes a queue with all its jobs, whoever is at them. */
export function deleteQueue(access: RedisAccess, redis: Redis, name: string): Promise<void> {
  return withQueue(access, redis, name, (queue) => queue.obliterate({ force: true }));
}

/** Deletes a queue when all that was done of it has been taken, unless jobs wait in it: those are for whoever put them there. */
export function deleteOnceTaken(access: RedisAccess, redis: Redis, name: string): Promise<void> {
  return withQueue(access, redis, name, async (queue) => {
    while ((await queue.getJobCountByTypes('active', 'completed')) > 0) await sleep(TAKEN_PAUSE);
    if ((await queue.getJobCountByTypes('waiting', 'prioritized', 'delayed')) > 0) return;
    await queue.obliterate({ force: true });
  });
}
