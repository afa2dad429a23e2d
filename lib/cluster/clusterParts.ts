import type { EstimatorConfig } from '../meta/config';
import { corpusEntries } from '../meta/corpus';
import type { DroppedPart, MetaParts, PartsOptions, PartsResult } from '../meta/parts';
import type { FamilyResult, FamilyState } from '../meta/shard';
import { byCost, familyCosts } from '../meta/workers';
import type { Dispatcher } from './dispatcher';
import { PROTOCOL } from './engine';
import type { Engine } from './engine';
import { Homes } from './homes';
import { JobDropped } from './orders';
import type { Answer } from './orders';
import { partId, stateName } from './partJob';
import type { PartJob, PartOrder, PartPhase } from './partJob';
import { blobOf, decodeState, encodeMetaParameters, encodeState, PayloadError } from './payloads';
import type { Blob, BlobRef } from './payloads';
import type { Say } from './redis';

/**
 * A family's state is fetched after so many parts, or after so many seconds of computation, so that what is lost with a worker
 * is soon computed again.
 */
const FETCH_PARTS = 20;
export const FETCH_SECONDS = 2;

/**
 * A family's state between two parts. The worker that made it has it; should that be lost, it is computed again from the last
 * one that is held here.
 */
interface StateVersion {
  /** In the job that goes on from it. */
  readonly name: string;
  /** Its payload, once it has been put into Redis. */
  ref?: BlobRef;
  /** Whether it is there still, unless Redis has lost it. */
  isStored?: boolean;
  /** Held here: the payload. */
  bytes?: Uint8Array;
  /** Else: the job that it came from, and the number of meta-parameters. */
  made?: {
    readonly job: PartJob;
    readonly metaParameters: Blob;
    readonly length: number;
    readonly before?: StateVersion;
  };
  /** Worker that has it. */
  readonly home?: string;
  /** Parts, and seconds of computation, since the last one that is held. */
  readonly parts: number;
  readonly seconds: number;
}

interface RunningFamily {
  readonly index: number;
  readonly name: string;
  state?: StateVersion;
  /** Ends when the family has done all that it was asked for. */
  latest: Promise<unknown>;
}

/** The families of a phase; each part is a job of a cluster. */
export class ClusterParts implements MetaParts {
  private readonly families: readonly RunningFamily[];
  private readonly order: readonly number[];
  private readonly homes: Homes;
  private readonly shared: PartPhase;
  /** Versions of the meta-parameters that iterations use. */
  private readonly versions = new Map<string, { users: number; readonly sent: Promise<void> }>();

  /** @param problems SHA-256 of the user's module of problems */
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly engine: Engine,
    options: PartsOptions,
    problems: string | undefined,
    private readonly say: Say,
    private readonly fetchSeconds: number = FETCH_SECONDS,
  ) {
    const { architecture, seed, phase, kind, corpus, copies, frozen } = options;
    this.families = corpusEntries(options).map(({ family }, index) => ({
      index,
      name: family.name,
      latest: Promise.resolve(),
    }));
    const costs = familyCosts(options);
    // The longest first, so that no worker waits long for another's last job.
    this.order = byCost(costs);
    this.homes = new Homes(costs);
    this.shared = { architecture, seed, phase, kind, corpus, problems, copies, frozen };
  }

  async run(flat: Float64Array, iteration: number, config: EstimatorConfig): Promise<PartsResult> {
    const metaParameters = blobOf(encodeMetaParameters(flat));
    const { length } = flat;
    const sent = this.broadcast(metaParameters);
    this.homes.divide(this.dispatcher.workers, performance.now());
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
    const done = await this.dispatcher.unlessCancelled(Promise.all(parts)).finally(() => this.release(metaParameters));
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
    // It fails only when all is over.
    const sent = this.dispatcher.blobs.put(version).catch(() => undefined);
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
    family: RunningFamily,
    metaParameters: Blob,
    length: number,
    iteration: number,
    estimator: EstimatorConfig,
  ): Promise<FamilyResult | DroppedPart> {
    const { index, name, state: before } = family;
    const job: PartJob = {
      ...{ protocol: PROTOCOL, engine: this.engine, shared: this.shared, family: index, iteration, estimator },
      ...{ metaParameters: metaParameters.ref, after: before?.name },
    };
    const made = { job, metaParameters, length, before };
    const home = this.homes.of(index);
    const isDue = (before?.parts ?? 0) + 1 >= FETCH_PARTS || (before?.seconds ?? 0) >= this.fetchSeconds;
    // Nobody knows who does the next one; without the state this one would have to be done again for it.
    const publish = isDue || (before !== undefined && home === undefined);
    try {
      // A worker to which the family moves has not got its state.
      if (before && before.home !== home && !before.isStored) await this.restore(before);
      const { result, state, worker, seconds } = await this.submit('part', made, home, {
        publish,
        seconds: this.homes.expected(index),
      });
      this.homes.done(index, worker, seconds);
      family.state = {
        ...{
          name: state ? stateName(state) : partId(job),
          ref: state,
          isStored: state !== undefined,
          made,
          home: worker,
        },
        ...{ parts: (before?.parts ?? 0) + 1, seconds: (before?.seconds ?? 0) + seconds },
      };
      if (before) this.forget(before);
      if (publish) await this.holdIfPossible(family);
      return { index, name, ...result! };
    } catch (error) {
      if (!(error instanceof JobDropped)) throw error;
      this.say(
        `iteration ${iteration} of the phase goes on without ${name}, which nobody could compute: ${error.message}`,
      );
      return { family: index, name, reason: error.message };
    }
  }

  private submit(
    want: PartOrder['want'],
    { job, metaParameters, length, before }: NonNullable<StateVersion['made']>,
    home: string | undefined,
    { publish, seconds }: { readonly publish?: boolean; readonly seconds?: number } = {},
  ): Promise<Answer> {
    const restore = async (): Promise<void> => {
      const { blobs } = this.dispatcher;
      if (!(await blobs.has(metaParameters.ref))) await blobs.put(metaParameters);
      if (before) await this.restore(before);
    };
    const order = (): PartOrder => ({ job, want, publish, state: before?.ref });
    return this.dispatcher.submit({ order, length, home, seconds, restore });
  }

  /** Sees to it that a state is in Redis, computing it again where nobody has it any more. */
  private async restore(version: StateVersion): Promise<void> {
    const { blobs } = this.dispatcher;
    if (version.ref && (await blobs.has(version.ref))) return;
    if (version.ref && version.bytes) await blobs.put({ ref: version.ref, bytes: version.bytes });
    else {
      const ref = await this.recompute(version, version.made!);
      if (version.ref && ref.sha256 !== version.ref.sha256) {
        throw new JobDropped(
          `job ${partId(version.made!.job)} gave another state the second time: the workers do not compute the same bits; they need the same version, instruction set and Node`,
        );
      }
      version.ref = ref;
    }
    version.isStored = true;
  }

  /** Has a state put into Redis by the worker that has it, or by whoever does the job that it came from again. */
  private async recompute({ home }: StateVersion, made: NonNullable<StateVersion['made']>): Promise<BlobRef> {
    const { metaParameters, before } = made;
    // Other families may go back as far.
    await this.broadcast(metaParameters);
    try {
      // Whoever does it needs the state before.
      if (before && !(home !== undefined && this.dispatcher.workers.has(home))) await this.restore(before);
      const { state } = await this.submit('state', made, home);
      // It was only the way there.
      if (before) this.forget(before);
      return state!;
    } finally {
      this.release(metaParameters);
    }
  }

  /** Deletes a state from Redis that nobody goes on from. */
  private forget(version: StateVersion): void {
    if (version.isStored && version.ref) this.dispatcher.blobs.drop([version.ref]);
    version.isStored = false;
  }

  /** The part is there in any case; a state that is lost, and that nobody could compute again, is fetched after the next. */
  private async holdIfPossible(family: RunningFamily): Promise<void> {
    try {
      await this.hold(family);
    } catch (error) {
      if (!(error instanceof JobDropped)) throw error;
      this.say(`the state of ${family.name} could not be fetched: ${error.message}`);
    }
  }

  /** Takes a family's state into this process; what it came from may then be forgotten. */
  private async hold(family: RunningFamily): Promise<Uint8Array> {
    const version = family.state!;
    const { blobs, counts } = this.dispatcher;
    for (let tries = 0; version.bytes === undefined; tries++) {
      if (tries === 3) throw new Error(`cluster: the state ${version.name} cannot be had; go on with --resume`);
      try {
        if (!version.isStored) await this.restore(version);
        version.bytes = await blobs.get(version.ref!);
      } catch (error) {
        if (!(error instanceof PayloadError)) throw error;
        counts.refused++;
        blobs.drop([version.ref!]);
      }
      if (version.bytes === undefined) version.isStored = false;
    }
    const { ref, bytes, home, isStored } = version;
    family.state = { ...{ name: stateName(ref!), ref, bytes, home, isStored }, parts: 0, seconds: 0 };
    return bytes;
  }

  exportState(): Promise<FamilyState[]> {
    return this.dispatcher.unlessCancelled(this.holdAll());
  }

  private async holdAll(): Promise<FamilyState[]> {
    await Promise.all(this.families.map(({ latest }) => latest));
    const begun = this.families.filter(({ state }) => state);
    return Promise.all(
      begun.map(async (family) => ({ index: family.index, state: decodeState(await this.hold(family)) })),
    );
  }

  async importState(states: readonly FamilyState[]): Promise<void> {
    for (const family of this.families) {
      const found = states.find(({ index }) => index === family.index);
      if (!found) continue;
      const blob = blobOf(encodeState(found.state));
      family.state = { ...{ name: stateName(blob.ref), ...blob, isStored: true }, parts: 0, seconds: 0 };
      await this.dispatcher.unlessCancelled(this.dispatcher.blobs.put(blob));
    }
  }

  close(): Promise<void> {
    for (const { state } of this.families) if (state) this.forget(state);
    return Promise.resolve();
  }
}
