import { sha256OfFile } from '../sha256';
import type { EstimatorConfig } from '../meta/config';
import { corpusEntries } from '../meta/corpus';
import type { DroppedPart, MetaParts, PartsFactory, PartsOptions, PartsResult } from '../meta/parts';
import type { FamilyResult, FamilyState } from '../meta/shard';
import { byCost, familyCosts } from '../meta/workers';
import type { ClusterAddress } from './address';
import { Dispatcher, JobDropped } from './dispatcher';
import type { DispatchCounts } from './dispatcher';
import { localEngine, PROTOCOL, queueNameOf } from './engine';
import type { Engine } from './engine';
import type { PartJob, PartPhase } from './partJob';
import { blobOf, decodePart, decodeState, encodeMetaParameters, encodeState } from './payloads';
import type { Blob } from './payloads';
import { membersOf, Presence } from './presence';
import type { Member } from './presence';
import { DEFAULT_NAME, RedisAccess } from './redis';
import type { Say } from './redis';

/** Seconds without a worker, or without a result, after which the coordinator says so, and between two such words. */
const PATIENCE_SECONDS = 15;
const REPEAT_SECONDS = 120;

export interface CoordinatorOptions {
  readonly address: ClusterAddress;
  /** Absolute path of the user's module of problems, which is in the configuration too. */
  readonly problems?: string;
  readonly name?: string;
  readonly priority?: number;
  readonly pollSeconds?: number;
  readonly engine?: Engine;
  /** Called with what a person should know. */
  readonly say?: Say;
}

/** What a coordinator has done so far. */
export interface CoordinatorCounts extends DispatchCounts {
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

interface Running {
  readonly index: number;
  readonly name: string;
  /** The family's latest payload with a state. */
  state?: Blob;
  /** Ends when the family has done all that it was asked for. */
  latest: Promise<unknown>;
}

/** The families of a phase, each part a job. */
class ClusterParts implements MetaParts {
  private readonly families: readonly Running[];
  private readonly order: readonly number[];
  private readonly shared: PartPhase;
  /** Versions of the meta-parameters that iterations use. */
  private readonly versions = new Map<string, { users: number; readonly sent: Promise<void> }>();

  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly engine: Engine,
    options: PartsOptions,
    problems: string | undefined,
    private readonly say: Say,
  ) {
    const { architecture, seed, phase, kind, corpus, frozen } = options;
    this.families = corpusEntries(options).map(({ family }, index) => ({
      index,
      name: family.name,
      latest: Promise.resolve(),
    }));
    this.order = byCost(familyCosts(options));
    this.shared = { architecture, seed, phase, kind, corpus, problems, frozen };
  }

  async run(flat: Float64Array, iteration: number, config: EstimatorConfig): Promise<PartsResult> {
    const metaParameters = blobOf(encodeMetaParameters(flat));
    const { length } = flat;
    const sent = this.broadcast(metaParameters);
    const parts = this.order.map((index) => {
      const family = this.families[index];
      const part = family.latest.then(async () => {
        await sent;
        return this.part(family, metaParameters, length, iteration, config);
      });
      // An error is whoever's asked.
      family.latest = part.catch(() => undefined);
      return part;
    });
    const done = await Promise.all(parts);
    this.release(metaParameters);
    const isDropped = (part: FamilyResult | DroppedPart): part is DroppedPart => 'reason' in part;
    return {
      results: done.filter((part): part is FamilyResult => !isDropped(part)).sort((a, b) => a.index - b.index),
      dropped: done.filter(isDropped).sort((a, b) => a.family - b.family),
    };
  }

  /** Makes a version of the meta-parameters known to all workers, once, however many iterations use it. */
  private broadcast(version: Blob): Promise<void> {
    const { sha256 } = version.ref;
    const known = this.versions.get(sha256);
    if (known) {
      known.users++;
      return known.sent;
    }
    const sent = this.dispatcher.blobs.put(version);
    sent.catch(() => undefined);
    this.versions.set(sha256, { users: 1, sent });
    return sent;
  }

  private release(version: Blob): void {
    const known = this.versions.get(version.ref.sha256);
    if (!known || --known.users > 0) return;
    this.versions.delete(version.ref.sha256);
    this.dispatcher.blobs.drop([version.ref]);
  }

  private async part(
    family: Running,
    metaParameters: Blob,
    length: number,
    iteration: number,
    estimator: EstimatorConfig,
  ): Promise<FamilyResult | DroppedPart> {
    const { index, name, state } = family;
    const job: PartJob = {
      ...{ protocol: PROTOCOL, engine: this.engine, shared: this.shared, family: index, iteration, estimator },
      ...{ metaParameters: metaParameters.ref, state: state?.ref },
    };
    const blobs = state ? [metaParameters, state] : [metaParameters];
    try {
      const { ref, bytes, value } = await this.dispatcher.submit(job, blobs, (result, id) =>
        decodePart(result, id, length),
      );
      family.state = { ref, bytes };
      if (state && state.ref.sha256 !== ref.sha256) this.dispatcher.blobs.drop([state.ref]);
      return { index, name, ...value };
    } catch (error) {
      if (!(error instanceof JobDropped)) throw error;
      this.say(
        `iteration ${iteration} of the phase goes on without ${name}, which nobody could compute: ${error.message}`,
      );
      return { family: index, name, reason: error.message };
    }
  }

  async exportState(): Promise<FamilyState[]> {
    await Promise.all(this.families.map(({ latest }) => latest));
    return this.families.flatMap(({ index, state }) => (state ? [{ index, state: decodeState(state.bytes) }] : []));
  }

  async importState(states: readonly FamilyState[]): Promise<void> {
    for (const family of this.families) {
      const found = states.find(({ index }) => index === family.index);
      family.state = found && blobOf(encodeState(found.state));
      if (family.state) await this.dispatcher.blobs.put(family.state);
    }
  }

  close(): Promise<void> {
    this.dispatcher.blobs.drop(this.families.flatMap(({ state }) => (state ? [state.ref] : [])));
    return Promise.resolve();
  }
}

/** Spreads the parts of a meta-training run over workers. */
export class Coordinator {
  private members: readonly Member[] = [];
  private timer: NodeJS.Timeout | undefined;
  private lastWord = -Infinity;
  private lastResult = performance.now();
  private results = 0;

  private constructor(
    private readonly access: RedisAccess,
    private readonly dispatcher: Dispatcher,
    private readonly engine: Engine,
    private readonly queue: string,
    private readonly presence: Presence,
    private readonly problems: string | undefined,
    private readonly say: Say,
  ) {}

  static async open(options: CoordinatorOptions): Promise<Coordinator> {
    const { address, name = DEFAULT_NAME, pollSeconds, priority, engine = localEngine(), say = () => {} } = options;
    const problems = options.problems === undefined ? undefined : await sha256OfFile(options.problems);
    const access = await RedisAccess.open(address, name, say);
    const queue = queueNameOf(engine, problems);
    const dispatcher = await Dispatcher.open(access, queue, { pollSeconds, priority });
    const redis = access.connect();
    const presence: Presence = new Presence(redis, access, () => ({
      ...{ role: 'coordinator' as const, queue, ...engine },
      counts: { ...coordinator.counts() },
    }));
    const coordinator: Coordinator = new Coordinator(access, dispatcher, engine, queue, presence, problems, (text) =>
      say(address.redact(text)),
    );
    await presence.start();
    const look = async (): Promise<void> => {
      coordinator.members = await membersOf(redis, access);
      coordinator.complain();
    };
    await look();
    coordinator.timer = setInterval(() => void look().catch(() => undefined), 5000);
    return coordinator;
  }

  /** For `runMetaTraining`: the parts of a phase as jobs of this cluster. */
  get parts(): PartsFactory {
    return (options) => new ClusterParts(this.dispatcher, this.engine, options, this.problems, this.say);
  }

  /** Workers that take the jobs of this coordinator. */
  get workers(): number {
    return this.members.filter(({ role, queue }) => role === 'worker' && queue === this.queue).length;
  }

  counts(): CoordinatorCounts {
    const { counts, blobs } = this.dispatcher;
    return { ...counts, bytesSent: blobs.sent, bytesReceived: blobs.received };
  }

  /** Says what stalls a run. */
  private complain(): void {
    const now = performance.now();
    const { results } = this.dispatcher.counts;
    if (results !== this.results || this.dispatcher.open === 0) this.lastResult = now;
    this.results = results;
    if (now - this.lastResult < 1000 * PATIENCE_SECONDS || now - this.lastWord < 1000 * REPEAT_SECONDS) return;
    this.lastWord = now;
    const seconds = Math.round((now - this.lastResult) / 1000);
    const others = this.members.filter(({ role, queue }) => role === 'worker' && queue !== this.queue);
    const { version, isa } = this.engine;
    const unfit = others.map(
      (m) => `${m.host} (${m.version}, ${m.isa}${m.queue.split('-').length > 4 ? ', --problems' : ''})`,
    );
    this.say(
      `no result for ${seconds} s: ${this.dispatcher.open} jobs wait, ${this.workers} workers fit. ` +
        `Wanted: learned-optimizer ${version} on ${isa}${this.problems ? ', with --problems' : ''}` +
        (unfit.length > 0 ? `; others are there: ${unfit.slice(0, 5).join(', ')}` : ''),
    );
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.presence.stop();
    await this.dispatcher.close();
    this.access.close();
  }
}
