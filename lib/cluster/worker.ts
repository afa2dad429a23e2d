import type { Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { sha256OfFile } from '../sha256';
import type { ClusterAddress } from './address';
import { BlobStore } from './blobs';
import { Computer } from './computer';
import type { PartReply } from './dispatcher';
import { describeEngine, localEngine, queueNameOf, sameEngine } from './engine';
import type { Engine } from './engine';
import { checkPartJob } from './partJob';
import type { PartJob } from './partJob';
import { decodeMetaParameters, PayloadError } from './payloads';
import type { BlobRef } from './payloads';
import { membersOf, Presence } from './presence';
import { DEFAULT_NAME, RedisAccess } from './redis';
import type { Say } from './redis';

/** Versions of the meta-parameters that are kept. */
const MOST_VERSIONS = 4;
/** How often a job may lose its worker before it counts as one that kills them. */
const MOST_STALLS = 5;

export interface ClusterWorkerOptions {
  readonly address: ClusterAddress;
  /** Absolute path of a module with the problems of a run's user. */
  readonly problems?: string;
  /** A job whose worker has not been heard of for so long goes to another. */
  readonly lockSeconds: number;
  readonly name?: string;
  /** As of `RedisAccess.open`. */
  readonly silenceSeconds?: number;
  readonly engine?: Engine;
  readonly say?: Say;
  /** Computes a part; default: a thread. */
  readonly compute?: Pick<Computer, 'has' | 'compute' | 'close'>;
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

/** Computes the parts of any coordinator with the same engine, one at a time. */
export class ClusterWorker {
  readonly counts: WorkerCounts = { ...NO_COUNTS };
  private readonly versions = new Map<string, Float64Array>();
  private readonly blobs: BlobStore;
  private worker!: Worker<PartJob, PartReply>;
  private presence!: Presence;

  private constructor(
    private readonly access: RedisAccess,
    private readonly redis: Redis,
    private readonly computer: Pick<Computer, 'has' | 'compute' | 'close'>,
    private readonly engine: Engine,
    private readonly problems: string | undefined,
    private readonly say: Say,
  ) {
    this.blobs = new BlobStore(redis, access);
  }

  static async start(options: ClusterWorkerOptions): Promise<ClusterWorker> {
    const { address, problems, lockSeconds, name = DEFAULT_NAME, engine = localEngine() } = options;
    const say = (text: string): void => options.say?.(address.redact(text));
    const hash = problems === undefined ? undefined : await sha256OfFile(problems);
    const access = await RedisAccess.open(address, name, say, options.silenceSeconds);
    const redis = access.connect();
    const computer = options.compute ?? new Computer(problems);
    const self = new ClusterWorker(access, redis, computer, engine, hash, say);
    await self.listen(lockSeconds);
    return self;
  }

  private async listen(lockSeconds: number): Promise<void> {
    const { access, redis, engine } = this;
    const queue = queueNameOf(engine, this.problems);
    this.presence = new Presence(redis, access, () => ({
      ...{ role: 'worker' as const, queue, ...engine },
      counts: { ...this.counts },
    }));
    await this.presence.start();
    this.worker = new access.bullmq.Worker<PartJob, PartReply>(queue, (job) => this.process(job), {
      connection: redis,
      prefix: access.name,
      concurrency: 1,
      lockDuration: 1000 * lockSeconds,
      stalledInterval: 1000 * lockSeconds,
      maxStalledCount: MOST_STALLS,
      runRetryDelay: 1000,
    });
    this.worker.on('error', (error) => access.onError(error));
    this.worker.on('failed', (job, error) => this.say(`job ${job?.id ?? ''} failed: ${error.message}`));
    await this.sayWhoWaits(queue);
  }

  /** Says which coordinators this worker is of no use to. */
  private async sayWhoWaits(queue: string): Promise<void> {
    const unfit = (await membersOf(this.redis, this.access)).filter(
      (member) => member.role === 'coordinator' && member.queue !== queue,
    );
    for (const theirs of unfit) {
      this.say(
        `gets no jobs of the coordinator on ${theirs.host}: ` +
          (sameEngine(theirs, this.engine)
            ? 'it and this worker have different --problems; give both the same file'
            : `it has ${describeEngine(theirs)}, this worker ${describeEngine(this.engine)}; install the same versions, or set LEARNED_OPTIMIZER_ISA to the same instruction set on both`),
      );
    }
  }

  /** Refuses what is no job of this engine; a second try would be refused as well. */
  private checked(job: Job<PartJob, PartReply>): PartJob {
    try {
      const checked = checkPartJob(job.data, job.id, this.engine);
      if (checked.shared.problems !== this.problems) {
        const show = (hash: string | undefined): string => hash ?? 'none';
        throw new PayloadError(
          'WRONG_HASH',
          `job: expected problems with SHA-256 ${show(this.problems)} (--problems), got ${show(checked.shared.problems)}`,
        );
      }
      return checked;
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
    const flat = decodeMetaParameters(bytes);
    this.versions.set(ref.sha256, flat);
    if (this.versions.size > MOST_VERSIONS) this.versions.delete([...this.versions.keys()][0]);
    return flat;
  }

  private async process(job: Job<PartJob, PartReply>): Promise<PartReply> {
    const part = this.checked(job);
    try {
      const needsState = part.state !== undefined && !(await this.computer.has(part));
      const [metaParameters, state] = await Promise.all([
        this.metaParameters(part.metaParameters),
        needsState ? this.fetch(part.state!) : undefined,
      ]);
      const missing = [
        ...(metaParameters ? [] : [part.metaParameters.sha256]),
        ...(needsState && !state ? [part.state!.sha256] : []),
      ];
      if (missing.length > 0) {
        this.counts.missing++;
        return { missing };
      }
      const started = performance.now();
      const done = await this.computer.compute({ job: part, id: job.id!, metaParameters: metaParameters!, state });
      this.counts.busySeconds += (performance.now() - started) / 1000;
      await Promise.all([this.blobs.put(done.state), this.blobs.put(done.part)]);
      this.counts.parts++;
      return done.part.ref;
    } catch (error) {
      this.counts.failed++;
      throw error;
    } finally {
      this.counts.bytesSent = this.blobs.sent;
      this.counts.bytesReceived = this.blobs.received;
    }
  }

  /**
   * Ends. The job in hand is done first; the others are for whoever is there.
   * @param force leaves the job in hand to another worker
   */
  async close(force = false): Promise<void> {
    await this.presence.stop();
    // Without a connection nothing can be handed over.
    await this.worker.close(force || this.redis.status !== 'ready');
    await this.computer.close();
    this.access.close();
  }
}
