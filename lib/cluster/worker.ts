import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { sha256OfFile } from '../sha256';
import type { ClusterAddress } from './address';
import { BlobStore } from './blobs';
import type { Task, TaskOutcome, TaskResults } from './computeThread';
import { Computer } from './computer';
import type { PartComputer } from './computer';
import type { BundleReply } from './bundleReply';
import { describeEngine, homeQueueOf, localEngine, queueNameOf, sameEngine } from './engine';
import type { Engine } from './engine';
import { checkBundle, stateName } from './partJob';
import type { Bundle, IdentifiedOrder, PartPhase } from './partJob';
import { persist, unlessAborted, within } from './patience';
import { decodeMetaParameters, PayloadError } from './payloads';
import type { BlobRef } from './payloads';
import { membersOf, Presence } from './presence';
import { FamilyStates } from './familyStates';
import { deleteOnceTaken } from './jobQueue';
import { DEFAULT_NAME, RedisAccess } from './redis';
import type { Say } from './redis';

const NONE = new Float64Array(0);

/** Versions of the meta-parameters that are kept. */
const MOST_VERSIONS = 4;
/** How often a job may lose its worker before it counts as one that kills them. */
const MOST_STALLS = 5;
/** Jobs for this worker alone that it holds: one in hand, one whose payloads are fetched meanwhile. */
const JOBS_AHEAD = 2;
/** Between two tries, where Redis answers with an error, in milliseconds. */
const RETRY_PAUSE = 1000;
/** How often to look for coordinators that this worker is of no use to, in milliseconds. */
const BETWEEN_LOOKS = 60_000;
/** How long ending waits, in seconds: for a connection that is lost, or with nothing in hand for Redis to answer. */
const LOST_SECONDS = 5;
/** After the computations, for what is in hand to be handed over: the link may be slow, and memory full. */
const HAND_OVER_SECONDS = 30;
/** For the worker's own queue to be emptied and deleted, and for its sign of life to be. */
const LEAVE_SECONDS = 2;

export interface ClusterWorkerOptions {
  readonly address: ClusterAddress;
  /** Absolute path of a module with the problems of a run's user. */
  readonly problems?: string;
  /** The jobs of a worker that has not been heard of for so long go to others. */
  readonly lockSeconds: number;
  readonly name?: string;
  /** That it is to end before it has begun: what the start waits for then fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** As of `RedisAccess.open`. */
  readonly silenceSeconds?: number;
  readonly engine?: Engine;
  readonly say?: Say;
  /** Computes a part; default: a thread. */
  readonly compute?: PartComputer;
}

/** What a worker has done so far. */
export interface WorkerCounts {
  parts: number;
  /** Jobs and payloads that were not what they should be. */
  refused: number;
  /** Jobs that went back because a payload was not there. */
  missing: number;
  failed: number;
  /** Seconds in computations. */
  busySeconds: number;
  /** Of payloads, to Redis and from it. */
  bytesSent: number;
  bytesReceived: number;
}

export const NO_COUNTS: WorkerCounts = {
  ...{ parts: 0, refused: 0, missing: 0, failed: 0, busySeconds: 0 },
  ...{ bytesSent: 0, bytesReceived: 0 },
};

/**
 * Computes the parts of any coordinator with the same engine, one at a time. It takes jobs from the queue of all workers and
 * from one of its own, which gets those of families whose states it has.
 */
export class ClusterWorker {
  readonly counts: WorkerCounts = { ...NO_COUNTS };
  private readonly versions = new Map<string, Float64Array>();
  private readonly blobs: BlobStore;
  private readonly states = new FamilyStates();
  /** Of BullMQ: one for each of the two queues. */
  private consumers: Worker<Bundle, BundleReply>[] = [];
  private presence!: Presence;
  private ownQueue!: string;
  private isClosing = false;
  /** Aborted when nothing more can be handed over. */
  private readonly over = new AbortController();
  private looking: NodeJS.Timeout | undefined;
  /** Coordinators of which it has said that it is of no use to them. */
  private readonly useless = new Set<string>();
  /** Ends when the computer is free. */
  private free: Promise<unknown> = Promise.resolve();
  /** Computations that are under way or wait for their turn. */
  private computing = 0;
  /** Jobs that it has taken and not handed over yet. */
  private inHand = 0;

  private constructor(
    private readonly access: RedisAccess,
    private readonly redis: Redis,
    private readonly computer: PartComputer,
    private readonly engine: Engine,
    private readonly problems: string | undefined,
    private readonly say: Say,
  ) {
    this.blobs = new BlobStore(redis, access, (command) =>
      persist(command, {
        ...{ signal: this.over.signal, pause: RETRY_PAUSE },
        onError: (error) => access.onError(error),
      }),
    );
  }

  /** @throws {Error} if there is no Redis that can be used, and the signal's reason; nothing is left open then */
  static async start(options: ClusterWorkerOptions): Promise<ClusterWorker> {
    const { address, problems, lockSeconds, signal, name = DEFAULT_NAME, engine = localEngine() } = options;
    const say = (text: string): void => options.say?.(address.redact(text));
    const hash = problems === undefined ? undefined : await sha256OfFile(problems);
    const access = await RedisAccess.open(address, name, say, options.silenceSeconds, signal);
    const redis = access.connect();
    const computer = options.compute ?? new Computer(problems);
    const self = new ClusterWorker(access, redis, computer, engine, hash, say);
    try {
      await unlessAborted(signal, self.listen(lockSeconds));
      return self;
    } catch (error) {
      await self.close(true);
      throw error;
    }
  }

  private async listen(lockSeconds: number): Promise<void> {
    const { access, redis, engine } = this;
    const queue = queueNameOf(engine, this.problems);
    this.presence = new Presence(
      redis,
      access,
      () => ({ ...{ role: 'worker' as const, queue, ...engine }, counts: { ...this.counts } }),
      lockSeconds,
    );
    this.ownQueue = homeQueueOf(queue, this.presence.id);
    await this.presence.start();
    if (this.isClosing) return;
    this.consumers = [[queue, 1] as const, [this.ownQueue, JOBS_AHEAD] as const].map(([name, concurrency]) =>
      this.consume(name, concurrency, lockSeconds),
    );
    // It works without having said that.
    const look = (): Promise<void> => this.sayWhoWaits(queue).catch((error: Error) => access.onError(error));
    void look();
    this.looking = setInterval(() => redis.status === 'ready' && void look(), BETWEEN_LOOKS);
  }

  private consume(queue: string, concurrency: number, lockSeconds: number): Worker<Bundle, BundleReply> {
    const { access } = this;
    const consumer = new access.bullmq.Worker<Bundle, BundleReply>(queue, (job) => this.process(job), {
      connection: this.redis,
      prefix: access.name,
      concurrency,
      lockDuration: 1000 * lockSeconds,
      stalledInterval: 1000 * lockSeconds,
      maxStalledCount: MOST_STALLS,
      runRetryDelay: 1000,
    });
    consumer.on('error', (error) => access.onError(error));
    consumer.on('failed', (job, error) => this.say(`job ${job?.id ?? ''} failed: ${error.message}`));
    return consumer;
  }

  /** Says which coordinators this worker is of no use to. */
  private async sayWhoWaits(queue: string): Promise<void> {
    const unfit = (await membersOf(this.redis, this.access)).filter(
      ({ role, id, queue: theirs }) => role === 'coordinator' && theirs !== queue && !this.useless.has(id),
    );
    for (const theirs of unfit) {
      this.useless.add(theirs.id);
      this.say(
        `gets no jobs of the coordinator on ${theirs.host}: ` +
          (sameEngine(theirs, this.engine)
            ? 'it and this worker have different --problems; give both the same file'
            : `it has ${describeEngine(theirs)}, this worker ${describeEngine(this.engine)}; install the same versions, or set LEARNED_OPTIMIZER_ISA to the same instruction set on both`),
      );
    }
  }

  /** Refuses what is no job of this engine; a second try would be refused as well. */
  private checked(job: Job<Bundle, BundleReply>): IdentifiedOrder[] {
    try {
      const orders = checkBundle(job.data, job.id, this.engine);
      for (const { problems } of orders.map((order) => order.job.shared)) {
        if (problems === this.problems) continue;
        const show = (hash: string | undefined): string => hash ?? 'none';
        throw new PayloadError(
          'WRONG_HASH',
          `job: expected problems with SHA-256 ${show(this.problems)} (--problems), got ${show(problems)}`,
        );
      }
      return orders;
    } catch (error) {
      this.refuse(error as Error);
      throw new this.access.bullmq.UnrecoverableError(`refused: ${(error as Error).message}`);
    }
  }

  private refuse(error: Error): void {
    this.counts.refused++;
    this.say(`refused: ${error.message}`);
  }

  /** A payload, or undefined where there is none that is right. */
  private async fetch(ref: BlobRef): Promise<Uint8Array | undefined> {
    try {
      return await this.blobs.get(ref);
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      this.refuse(error);
      // Whoever needs it makes it again.
      this.blobs.drop([ref]);
      return undefined;
    }
  }

  private async metaParameters(ref: BlobRef): Promise<Float64Array | undefined> {
    const known = this.versions.get(ref.sha256);
    if (known) return known;
    const bytes = await this.fetch(ref);
    if (!bytes) return undefined;
    const decoded = decodeMetaParameters(bytes);
    // Shared with the thread, so that it is not copied for every part.
    const flat = new Float64Array(new SharedArrayBuffer(decoded.byteLength));
    flat.set(decoded);
    this.versions.set(ref.sha256, flat);
    if (this.versions.size > MOST_VERSIONS) this.versions.delete([...this.versions.keys()][0]);
    return flat;
  }

  private async process(job: Job<Bundle, BundleReply>): Promise<BundleReply> {
    this.inHand++;
    try {
      const orders = this.checked(job);
      const flats = await Promise.all(orders.map((order) => this.metaParameters(order.job.metaParameters)));
      // Before its turn comes, so that the computer does not wait for it.
      const states = await Promise.all(orders.map((order) => this.stateOf(order)));
      const { outcomes, parts } = await this.alone(() => this.fulfil(orders, flats, states));
      const failed = outcomes.filter((outcome) => 'failed' in outcome);
      this.counts.failed += failed.length;
      this.counts.missing += outcomes.filter((outcome) => 'missing' in outcome).length;
      // A single one is for BullMQ to try again.
      if (outcomes.length === 1 && failed.length === 1) throw new Error(failed[0].failed);
      const done = outcomes.filter((outcome) => 'seconds' in outcome);
      await Promise.all([parts, ...done.map(({ state }) => state)].map((blob) => blob && this.blobs.put(blob)));
      const count = (k: number): number => ('seconds' in outcomes[k] && orders[k].want === 'part' ? 1 : 0);
      this.counts.parts += orders.reduce((sum, _, k) => sum + count(k), 0);
      this.counts.busySeconds += done.reduce((sum, { seconds }) => sum + seconds, 0);
      return {
        worker: this.presence.id,
        parts: parts?.ref,
        outcomes: outcomes.map((outcome) =>
          'seconds' in outcome ? { seconds: outcome.seconds, state: outcome.state?.ref } : outcome,
        ),
      };
    } finally {
      this.inHand--;
      this.counts.bytesSent = this.blobs.sent;
      this.counts.bytesReceived = this.blobs.received;
    }
  }

  /** Runs one thing after another. */
  private alone<T>(what: () => Promise<T>): Promise<T> {
    this.computing++;
    const done = this.free.then(what).finally(() => this.computing--);
    this.free = done.catch(() => undefined);
    return done;
  }

  private async fulfil(
    orders: readonly IdentifiedOrder[],
    flats: readonly (Float64Array | undefined)[],
    states: readonly (Uint8Array | undefined)[],
  ): Promise<{ outcomes: (TaskOutcome | { readonly missing: string })[]; parts: TaskResults['parts'] }> {
    const plans = await Promise.all(orders.map((order, k) => this.plan(order, flats[k], states[k])));
    const tasks = plans.filter((plan): plan is Task => !('missing' in plan));
    for (const { job } of tasks) this.states.set(job, []);
    const results = tasks.length > 0 ? await this.runTasks(tasks, this.states.takeForgotten()) : { outcomes: [] };
    // What failed in the middle has left a family in no state.
    tasks.forEach(({ job, id }, k) => {
      const outcome = results.outcomes[k];
      if ('failed' in outcome) return;
      this.states.set(job, [id, ...(outcome.state ? [stateName(outcome.state.ref)] : [])]);
    });
    const left = [...results.outcomes];
    return { outcomes: plans.map((plan) => ('missing' in plan ? plan : left.shift()!)), parts: results.parts };
  }

  private async runTasks(tasks: readonly Task[], forget: readonly PartPhase[]): Promise<TaskResults> {
    try {
      return await this.computer.run({ tasks, forget });
    } catch (error) {
      this.states.clear();
      // Ending in the middle of it is no failure.
      if (!this.over.signal.aborted) this.counts.failed += tasks.length;
      throw error;
    }
  }

  /** The state that an order goes on from, where it is in Redis and not here. */
  private async stateOf({ job, state }: IdentifiedOrder): Promise<Uint8Array | undefined> {
    const isNeeded = state && job.after !== undefined && !this.states.has(job, job.after);
    return isNeeded ? this.fetch(state) : undefined;
  }

  /** What is to be done for an order, or what is missing for it. */
  private async plan(
    order: IdentifiedOrder,
    metaParameters: Float64Array | undefined,
    fetched: Uint8Array | undefined,
  ): Promise<Task | { readonly missing: string }> {
    const { part: id, job, want, publish } = order;
    const result = want === 'part';
    const state = publish === true || !result;
    if (!result && this.states.has(job, id)) return { id, job, metaParameters: NONE, result, state };
    if (!metaParameters) return { missing: job.metaParameters.sha256 };
    const task = { id, job, metaParameters, result, state };
    if (job.after === undefined) return { ...task, from: 'beginning' };
    if (this.states.has(job, job.after)) return { ...task, from: 'where it is' };
    const from = fetched ?? (await this.stateOf(order));
    return from ? { ...task, from } : { missing: job.after };
  }

  /**
   * Ends. The jobs in hand are done first; the others are for whoever is there.
   * @param force leaves them to another worker
   */
  async close(force = false): Promise<void> {
    this.isClosing = true;
    clearInterval(this.looking);
    void this.presence.leave();
    await this.closeConsumers(force);
    // Without a connection, or in a longer time, it is for coordinators to delete.
    if (!this.isLost) await within(1000 * LEAVE_SECONDS, deleteOnceTaken(this.access, this.redis, this.ownQueue));
    await within(1000 * LEAVE_SECONDS, this.presence.stop());
    // First, so that whatever is still in hand does not count as failed.
    this.access.close();
    this.over.abort();
    await this.computer.close();
  }

  private get isLost(): boolean {
    return this.redis.status !== 'ready';
  }

  /** Waits for what is in hand; whatever else hangs, such as a connection that is silent or never was there, is left. */
  private async closeConsumers(force: boolean): Promise<void> {
    // It may be back in a moment; BullMQ would wait for ever.
    for (let lost = 0; !force && this.isLost && lost < LOST_SECONDS; lost += 0.1) await sleep(100);
    const closing = Promise.all(this.consumers.map((consumer) => consumer.close(force || this.isLost)));
    let isOver = false;
    void closing.finally(() => (isOver = true)).catch(() => undefined);
    let patience = LOST_SECONDS;
    for (let [waited, lost] = [0, 0]; !isOver && waited < patience && lost < LOST_SECONDS;) {
      if (this.inHand > 0) patience = HAND_OVER_SECONDS;
      await within(1000, closing);
      waited = this.computing > 0 ? 0 : waited + 1;
      lost = this.isLost ? lost + 1 : 0;
    }
  }
}
