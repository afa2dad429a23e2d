import type { Redis } from 'ioredis';
import type { TruncationResult } from '../meta/estimator';
import { BlobStore } from './blobs';
import { checkBundleReply } from './bundleReply';
import type { BundleReply, OrderOutcome } from './bundleReply';
import { ATTEMPTS } from './jobQueue';
import type { JobQueue, QueueListener } from './jobQueue';
import { bundleOf, JobDropped, pack } from './orders';
import type { Answer, Outstanding, PartRequest, Sent } from './orders';
import { bundleId, orderId } from './partJob';
import { persist, Waiting, within } from './patience';
import { decodeParts, PayloadError } from './payloads';
import type { BlobRef } from './payloads';
import type { RedisAccess } from './redis';
import { WorkerQueues } from './workerQueues';

/** How often what came of an order may be refused, and how often it may be lost with Redis, or what it needs. */
const MOST_REFUSALS = 3;
const MOST_LOSSES = 20;
/** How often a job is seen to wait for a worker that has none in hand before that worker counts as one that takes none. */
const MOST_IDLE_LOOKS = 12;
/** Between two tries, where Redis answers with an error, in milliseconds. */
const RETRY_PAUSE = 5000;
/** How long taking back what is left may take at the end, in milliseconds. */
const REMOVE_PATIENCE = 2000;

/** A result that Redis has lost. */
class ResultLost extends Error {}

/** What has happened to the jobs of a coordinator. */
export interface DispatchCounts {
  /** Parts asked for, and how many of them are there. */
  jobs: number;
  results: number;
  /** States asked for without a part. */
  states: number;
  /** Results that were not what they should be. */
  refused: number;
  /** Jobs put into the queue again. */
  repaired: number;
  /** Jobs that had been done before, to have a state again that was lost. */
  recomputed: number;
  dropped: number;
}

/**
 * Gets jobs done by whatever workers there are, those with a home by that worker as long as it is there. Whoever does a job,
 * and however often, its result is taken once. Redis may lose anything at any time: whoever submits a job can restore what it
 * needs.
 */
export class Dispatcher {
  readonly counts: DispatchCounts = {
    ...{ jobs: 0, results: 0, states: 0, refused: 0, repaired: 0, recomputed: 0, dropped: 0 },
  };
  readonly blobs: BlobStore;
  /** By the ids of jobs. An order that is being repaired is in none. */
  private readonly sent = new Map<string, Sent>();
  private readonly queues: WorkerQueues;
  /** Workers that end when what they have in hand is done. */
  private leaving: ReadonlySet<string> = new Set();
  private waiting: Outstanding[] = [];
  private timer: NodeJS.Timeout | undefined;
  private readonly closing = new AbortController();
  private readonly waits = new Waiting();

  private constructor(
    private readonly access: RedisAccess,
    private readonly redis: Redis,
    queueName: string,
    priority: number | undefined,
  ) {
    this.blobs = new BlobStore(redis, access, (command) => this.persist(command));
    const listener: QueueListener = {
      completed: (id, reply) => this.handle(id, (job) => this.accept(job, reply)),
      // The word may be of one that had the same id before.
      changed: (queue, id) =>
        this.handle(id, (job) => (queue.name === this.queues.nameOf(job.home) ? this.look(job) : undefined)),
    };
    this.queues = new WorkerQueues(access, redis, queueName, listener, priority);
  }

  /**
   * @param pollSeconds how often to look at jobs of which no event has come, for events can be lost with a connection
   * @param priority as of `JobQueue.open`
   */
  static async open(
    access: RedisAccess,
    queueName: string,
    { pollSeconds = 5, priority }: { pollSeconds?: number; priority?: number },
  ): Promise<Dispatcher> {
    const dispatcher = new Dispatcher(access, access.connect(), queueName, priority);
    // If that fails there is nothing yet that would have to be closed, except `access`.
    await dispatcher.queues.of(undefined);
    dispatcher.timer = setInterval(() => dispatcher.poll(), 1000 * pollSeconds);
    return dispatcher;
  }

  private get closed(): boolean {
    return this.closing.signal.aborted;
  }

  /** Does something with Redis as soon as it lets, unless this is closed or the error is not Redis's. */
  private persist<T>(what: () => Promise<T>): Promise<T> {
    return persist(what, {
      ...{ signal: this.closing.signal, pause: RETRY_PAUSE },
      onError: (error) => this.access.onError(error),
      isFinal: (error) => error instanceof JobDropped,
    });
  }

  /** Orders that are in a queue or in work. */
  get open(): number {
    return [...this.sent.values()].reduce((sum, { members }) => sum + members.length, 0);
  }

  /** Whether anybody waits for results or states. */
  get isBusy(): boolean {
    return this.waits.isAny;
  }

  /** A number that grows whenever something comes of it. */
  get progress(): number {
    const { results, recomputed } = this.counts;
    return results + recomputed + this.blobs.received + this.blobs.sent;
  }

  /** Ends the waiting of whoever waits by `unlessCancelled`. */
  cancel(reason: Error): void {
    this.closing.abort();
    this.waits.cancel(reason);
  }

  /** @throws the reason of `cancel` if that comes first */
  unlessCancelled<T>(what: Promise<T>): Promise<T> {
    return this.waits.for(what);
  }

  /** Workers that are there, by their ids. */
  get workers(): ReadonlySet<string> {
    return this.queues.workers;
  }

  /**
   * To be told, again and again, which workers are there. The jobs of one that has gone are for all others.
   * @param leaving workers that take no more jobs, and still do those that they have in hand
   */
  setWorkers(ids: Iterable<string>, leaving: Iterable<string> = []): void {
    this.leaving = new Set(leaving);
    this.queues.setWorkers(ids, this.leaving);
    this.evict();
    this.queues.closeUnneeded([...[...this.sent.values()].map(({ home }) => home), ...this.leaving]);
  }

  /** Deletes what workers left that went while no coordinator was there. */
  sweep(): Promise<void> {
    return this.queues.sweep();
  }

  /** Takes back the jobs of workers that have gone, and those that one that is leaving has not begun. */
  private evict(): void {
    for (const { id, home } of this.sent.values()) {
      if (home === undefined || this.workers.has(home)) continue;
      this.handle(id, async (job) => {
        if (this.workers.has(home)) return;
        const looking = this.queues.of(home).then((queue) => queue.look(id));
        const outcome = await looking.catch((error: Error) => this.access.onError(error));
        // Nobody may have heard of it yet.
        if (outcome?.is === 'completed') return this.accept(job, outcome.reply);
        if (outcome?.is === 'active' && this.leaving.has(home)) return;
        await this.takeBack(job, (o) => this.repair(o));
      });
    }
  }

  /**
   * Has an order fulfilled. Those submitted in one go are put into the queues in their order.
   * @throws {JobDropped} if nobody could do it
   */
  submit(request: PartRequest): Promise<Answer> {
    const order = request.order();
    const id = orderId(order);
    const home = request.home !== undefined && this.workers.has(request.home) ? request.home : undefined;
    return new Promise((resolve, reject) => {
      const o: Outstanding = { ...request, ...{ id, home, resolve, reject, tried: 0, refusals: 0, losses: 0 } };
      this.counts[order.want === 'part' ? 'jobs' : 'states']++;
      if (this.waiting.push(o) === 1) setImmediate(() => void this.flush());
    });
  }

  private async flush(): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    const homes = [...new Set(batch.map(({ home }) => home))];
    await Promise.all(
      homes.map((home) =>
        this.send(
          home,
          batch.filter((o) => o.home === home),
        ),
      ),
    );
  }

  private async send(home: string | undefined, orders: readonly Outstanding[]): Promise<void> {
    try {
      await this.add(home, pack(orders));
    } catch (error) {
      this.access.onError(error as Error);
      await Promise.all(orders.map((o) => this.repair(o)));
    }
  }

  private async add(home: string | undefined, bundles: readonly (readonly Outstanding[])[]): Promise<void> {
    const jobs = bundles.map((members) => ({ id: bundleId(members.map(({ id }) => id)), home, members }));
    const added = this.queues.of(home).then((queue) =>
      queue.add(
        jobs.map(({ id, members }) => ({
          ...{ id, data: bundleOf(members) },
          // A home has one try: where it fails, another worker may not.
          attempts: home === undefined ? Math.max(1, ATTEMPTS - members[0].tried) : 1,
        })),
      ),
    );
    // Whatever is to be done about it waits until it is there.
    const handling = added.catch(() => undefined);
    const sent = jobs.map((job): Sent => ({ ...job, handling, isLookedAt: false, idleLooks: 0 }));
    for (const job of sent) this.sent.set(job.id, job);
    try {
      await added;
    } catch (error) {
      for (const { id } of sent) this.sent.delete(id);
      throw error;
    }
  }

  /** Does something about a job that is still waited for, after what is being done about it already. */
  private handle(id: string, what: (job: Sent) => Promise<void> | undefined): void {
    const job = this.sent.get(id);
    if (!job) return;
    job.handling = job.handling.then(async () => {
      if (this.sent.get(id) !== job || this.closed) return;
      try {
        await what(job);
      } catch (error) {
        if (!this.closed) this.access.onError(error as Error);
      }
    });
  }

  private poll(): void {
    // What is sent without a connection would come all at once when it is back.
    if (this.redis.status !== 'ready') return;
    for (const job of this.sent.values()) {
      if (job.isLookedAt) continue;
      job.isLookedAt = true;
      this.handle(job.id, async () => {
        try {
          await this.look(job);
        } finally {
          job.isLookedAt = false;
        }
      });
    }
  }

  /** Looks how a job is. */
  private async look(job: Sent): Promise<void> {
    const queue = await this.queues.of(job.home);
    const outcome = await queue.look(job.id);
    if (outcome.is !== 'waiting') job.idleLooks = 0;
    switch (outcome.is) {
      case 'lost':
        return this.takeBack(job, (o) => this.lost(o, 'the queue has lost it'));
      case 'completed':
        return this.accept(job, outcome.reply);
      case 'failed':
        return this.failed(job, outcome.reason);
      case 'waiting':
        return this.seeWaiting(job, queue);
      case 'abandoned':
        // One in the queue of all workers is taken up again by BullMQ in any of them.
        return job.home === undefined ? undefined : this.takeBack(job, (o) => this.lost(o, 'its worker has left it'));
      case 'damaged':
        this.counts.refused++;
        await queue.discard(job.id);
        return this.takeBack(job, (o) => this.lost(o, 'what its job says was damaged'));
    }
  }

  /** A job waits: its worker may take no jobs at all. */
  private async seeWaiting(job: Sent, queue: JobQueue): Promise<void> {
    const { home } = job;
    if (home === undefined) return;
    job.idleLooks = (await queue.isInUse()) ? 0 : job.idleLooks + 1;
    if (job.idleLooks < MOST_IDLE_LOOKS || !this.workers.has(home)) return;
    const minutes = this.queues.giveUp(home);
    this.access.say(
      `worker ${home} says that it is there, but takes no jobs: others get them; it is tried again in ${minutes} minutes`,
    );
    this.evict();
  }

  /** Takes what came of a job. */
  private async accept(job: Sent, answer: unknown): Promise<void> {
    const { members } = job;
    let reply: BundleReply;
    let results: TruncationResult[];
    try {
      reply = checkBundleReply(answer, members.length);
      const wanted = members.filter((o, k) => 'seconds' in reply.outcomes[k] && o.order().want === 'part');
      results = wanted.length > 0 ? await this.results(reply.parts, wanted) : [];
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof PayloadError) {
        return this.takeBack(job, (o) => this.refused(o, `its result was refused (${error.code}: ${message})`));
      }
      if (error instanceof ResultLost) return this.takeBack(job, (o) => this.lost(o, message));
      throw error;
    }
    this.sent.delete(job.id);
    this.queues.heardOf(reply.worker);
    const removed = this.remove(job);
    // What is put into the queue again may have the same id.
    if (reply.outcomes.some((outcome) => !('seconds' in outcome))) await removed;
    if (reply.parts) this.blobs.drop([reply.parts]);
    await Promise.all(members.map((o, k) => this.settle(o, reply.outcomes[k], reply.worker, results)));
  }

  private async results(ref: BlobRef | undefined, wanted: readonly Outstanding[]): Promise<TruncationResult[]> {
    if (!ref) throw new PayloadError('DAMAGED', 'result: expected parts, got none');
    const bytes = await this.blobs.get(ref);
    if (bytes === undefined) throw new ResultLost('its result is lost');
    // The id of an order for a part is that of the part.
    return decodeParts(
      bytes,
      wanted.map(({ id }) => id),
      wanted[0].length,
    );
  }

  /** @param results those of the orders that are not settled yet, in their order */
  private settle(
    o: Outstanding,
    outcome: OrderOutcome,
    worker: string,
    results: TruncationResult[],
  ): Promise<void> | undefined {
    if ('missing' in outcome) return this.lost(o, 'a worker did not find its payloads');
    if ('failed' in outcome) return this.elsewhere(o, outcome.failed);
    const { want, publish } = o.order();
    const { seconds, state } = outcome;
    const result = want === 'part' ? results.shift() : undefined;
    if (!state && (publish || want === 'state')) {
      return this.refused(o, 'its result was refused (DAMAGED: result: expected a state, got none)');
    }
    if (result) this.counts.results++;
    else if (seconds > 0) this.counts.recomputed++;
    o.resolve({ worker, seconds, result, state });
  }

  private failed(job: Sent, reason: string): Promise<void> {
    // A job that a worker refused was damaged on its way: the next one may not be.
    const isRefused = reason.startsWith('refused');
    return this.takeBack(job, (o) => (isRefused ? this.refused(o, reason) : this.elsewhere(o, reason)));
  }

  /** After a computation threw: another worker may be luckier than the one that has the state. */
  private elsewhere(o: Outstanding, reason: string): Promise<void> {
    if (o.home === undefined) return this.drop(o, reason);
    o.home = undefined;
    o.tried++;
    return this.repair(o);
  }

  private refused(o: Outstanding, reason: string): Promise<void> {
    this.counts.refused++;
    // Another worker may do better.
    o.home = undefined;
    return ++o.refusals < MOST_REFUSALS ? this.repair(o) : this.drop(o, reason);
  }

  /** What came of it is not there any more, or what it needs. */
  private lost(o: Outstanding, reason: string): Promise<void> {
    return ++o.losses < MOST_LOSSES ? this.repair(o) : this.drop(o, `${reason}, ${MOST_LOSSES} times`);
  }

  /**
   * Forgets a job, takes it out of its worker's queue, and does something about each of its orders. In the queue of all
   * workers it stays: as one that failed for people, or until its order is put there again.
   */
  private async takeBack(job: Sent, what: (o: Outstanding) => Promise<void>): Promise<void> {
    this.sent.delete(job.id);
    if (job.home !== undefined) await this.remove(job);
    await Promise.all(job.members.map(what));
  }

  private async remove({ id, home }: Sent): Promise<void> {
    await this.queues
      .of(home)
      .then((queue) => queue.remove(id))
      .catch(() => undefined);
  }

  /** Puts an order into the queue again, with everything that it needs, as soon as Redis takes it. */
  private async repair(o: Outstanding): Promise<void> {
    this.counts.repaired++;
    try {
      await this.persist(async () => {
        if (this.closed) return;
        await o.restore();
        if (o.home !== undefined && !this.workers.has(o.home)) o.home = undefined;
        // An active job stays, with what it said of payloads then; its worker's answer is taken like any other.
        await (await this.queues.of(o.home)).remove(o.id);
        await this.add(o.home, [[o]]);
      });
    } catch (error) {
      if (error instanceof JobDropped) return this.drop(o, `its state is lost, and ${error.message}`);
      if (!this.closed) throw error;
    }
  }

  private drop(o: Outstanding, reason: string): Promise<void> {
    this.counts.dropped++;
    o.reject(new JobDropped(this.access.address.redact(reason)));
    return Promise.resolve();
  }

  /** Takes back what nobody has done yet. */
  async close(): Promise<void> {
    this.closing.abort();
    clearInterval(this.timer);
    const left = [...this.sent.values()];
    this.sent.clear();
    // Without a connection they stay; a worker that does one does no harm.
    if (this.redis.status === 'ready') {
      await within(REMOVE_PATIENCE, Promise.all(left.map((job) => this.remove(job))));
    }
    await this.queues.close();
  }
}
