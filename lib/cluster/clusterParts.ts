import type { EstimatorConfig } from '../meta/config';
import { corpusEntries } from '../meta/corpus';
import type { DroppedPart, MetaParts, PartsOptions, PartsResult } from '../meta/parts';
import type { FamilyResult, FamilyState } from '../meta/shard';
import { byCost, familyCosts } from '../meta/workers';
import { JobDropped } from './dispatcher';
import type { Dispatcher } from './dispatcher';
import { PROTOCOL } from './engine';
import type { Engine } from './engine';
import { partId } from './partJob';
import type { PartJob, PartPhase } from './partJob';
import { blobOf, decodePart, decodeState, encodeMetaParameters, encodeState, PayloadError } from './payloads';
import type { Blob, BlobRef, Part } from './payloads';
import type { Say } from './redis';

/** After so many parts a family's state is fetched, so that what is lost is soon computed again. */
const FETCH_EVERY = 20;

/**
 * A family's state between two parts. It lies in Redis; should Redis lose it, it is computed again from the last one that
 * is held here.
 */
interface StateVersion {
  readonly ref: BlobRef;
  /** Held here: the payload. */
  bytes?: Uint8Array;
  /** Else: the job that it came from, and the number of meta-parameters. */
  made?: {
    readonly job: PartJob;
    readonly metaParameters: Blob;
    readonly length: number;
    readonly before?: StateVersion;
  };
  /** Parts since the last one that is held. */
  age: number;
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
  ) {
    const { architecture, seed, phase, kind, corpus, copies, frozen } = options;
    this.families = corpusEntries(options).map(({ family }, index) => ({
      index,
      name: family.name,
      latest: Promise.resolve(),
    }));
    // The longest first, so that no worker waits long for another's last job.
    this.order = byCost(familyCosts(options));
    this.shared = { architecture, seed, phase, kind, corpus, problems, copies, frozen };
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
    family: RunningFamily,
    metaParameters: Blob,
    length: number,
    iteration: number,
    estimator: EstimatorConfig,
  ): Promise<FamilyResult | DroppedPart> {
    const { index, name, state: before } = family;
    const job: PartJob = {
      ...{ protocol: PROTOCOL, engine: this.engine, shared: this.shared, family: index, iteration, estimator },
      ...{ metaParameters: metaParameters.ref, state: before?.ref },
    };
    try {
      const { result, state } = await this.submit(job, metaParameters, before, length);
      family.state = { ref: state, made: { job, metaParameters, length, before }, age: (before?.age ?? 0) + 1 };
      if (family.state.age >= FETCH_EVERY) await this.fetch(family.state);
      if (before && before.ref.sha256 !== state.sha256) this.dispatcher.blobs.drop([before.ref]);
      return { index, name, ...result };
    } catch (error) {
      if (!(error instanceof JobDropped)) throw error;
      this.say(
        `iteration ${iteration} of the phase goes on without ${name}, which nobody could compute: ${error.message}`,
      );
      return { family: index, name, reason: error.message };
    }
  }

  private submit(job: PartJob, metaParameters: Blob, before: StateVersion | undefined, length: number): Promise<Part> {
    const restore = async (): Promise<void> => {
      const { blobs } = this.dispatcher;
      if (!(await blobs.has(metaParameters.ref))) await blobs.put(metaParameters);
      if (before) await this.restore(before);
    };
    return this.dispatcher.submit(job, restore, (bytes, id) => decodePart(bytes, id, length));
  }

  /** Puts a state back into Redis, computing it again where it is held nowhere. */
  private async restore(version: StateVersion): Promise<void> {
    const { blobs } = this.dispatcher;
    if (await blobs.has(version.ref)) return;
    if (version.bytes) return blobs.put({ ref: version.ref, bytes: version.bytes });
    const { job, metaParameters, length, before } = version.made!;
    this.dispatcher.counts.recomputed++;
    const { state } = await this.submit(job, metaParameters, before, length);
    // Only the way there.
    if (before) blobs.drop([before.ref]);
    if (state.sha256 === version.ref.sha256) return;
    throw new JobDropped(
      `job ${partId(job)} gave another state the second time: the workers do not compute the same bits; they need the same version, instruction set and Node`,
    );
  }

  /** Takes a state into this process; what it came from may then be forgotten. */
  private async fetch(version: StateVersion): Promise<Uint8Array> {
    const { blobs } = this.dispatcher;
    for (let tries = 0; version.bytes === undefined; tries++) {
      try {
        version.bytes = await blobs.get(version.ref);
      } catch (error) {
        if (!(error instanceof PayloadError)) throw error;
        this.dispatcher.counts.refused++;
        blobs.drop([version.ref]);
      }
      if (version.bytes) break;
      if (tries === 3) throw new Error(`cluster: the state ${version.ref.sha256} cannot be had; go on with --resume`);
      await this.restore(version);
    }
    version.made = undefined;
    version.age = 0;
    return version.bytes;
  }

  async exportState(): Promise<FamilyState[]> {
    await Promise.all(this.families.map(({ latest }) => latest));
    const states = this.families.map(async ({ index, state }) =>
      state ? [{ index, state: decodeState(await this.fetch(state)) }] : [],
    );
    return (await Promise.all(states)).flat();
  }

  async importState(states: readonly FamilyState[]): Promise<void> {
    for (const family of this.families) {
      const found = states.find(({ index }) => index === family.index);
      if (!found) continue;
      const blob = blobOf(encodeState(found.state));
      family.state = { ...blob, age: 0 };
      await this.dispatcher.blobs.put(blob);
    }
  }

  close(): Promise<void> {
    this.dispatcher.blobs.drop(this.families.flatMap(({ state }) => (state ? [state.ref] : [])));
    return Promise.resolve();
  }
}
