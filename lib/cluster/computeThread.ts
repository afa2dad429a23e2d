/** The thread of a worker that computes parts, so that the process can answer Redis meanwhile; `computer.ts` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import { metaParameterCount } from '../meta/flat';
import { Shard } from '../meta/shard';
import { loadProblems } from '../meta/userProblems';
import type { PartJob } from './partJob';
import { blobOf, decodeState, encodePart, encodeState } from './payloads';
import type { Blob } from './payloads';

export type ComputeRequest =
  | { readonly kind: 'has'; readonly job: PartJob }
  | {
      readonly kind: 'compute';
      readonly job: PartJob;
      readonly id: string;
      readonly metaParameters: Float64Array;
      /** Undefined: where the family stands already, or, for a job without a state, the beginning. */
      readonly state?: Uint8Array;
    };

/** A part that has been done: what it says, and the state after it. */
export interface DonePart {
  readonly part: Blob;
  readonly state: Blob;
}

export type ComputeReply = { readonly has: boolean } | { readonly done: DonePart } | { readonly error: string };

/** Phases whose families are kept between jobs. */
const MOST_PHASES = 4;

interface KeptPhase {
  readonly shard: Shard;
  /** Hash of the payload that a family's state is equal to. */
  readonly stands: Map<number, string>;
}

const { problems } = workerData as { readonly problems?: string };
await loadProblems(problems);
const phases = new Map<string, KeptPhase>();

function phaseOf({ shared }: PartJob): KeptPhase {
  const key = JSON.stringify(shared);
  let phase = phases.get(key);
  phase ??= {
    shard: new Shard({ ...shared, problems: shared.problems === undefined ? undefined : problems, families: [] }),
    stands: new Map(),
  };
  phases.delete(key);
  phases.set(key, phase);
  if (phases.size > MOST_PHASES) phases.delete([...phases.keys()][0]);
  return phase;
}

function has(job: PartJob): boolean {
  return job.state === undefined || phaseOf(job).stands.get(job.family) === job.state.sha256;
}

function compute(request: ComputeRequest & { kind: 'compute' }): DonePart {
  const { job, id, metaParameters, state } = request;
  const { family, iteration, estimator } = job;
  const kept = has(job);
  const { shard, stands } = phaseOf(job);
  const wanted = metaParameterCount(job.shared.architecture);
  if (metaParameters.length !== wanted) {
    throw new RangeError(`metaParameters: expected ${wanted}, got ${metaParameters.length}`);
  }
  // What fails in the middle leaves a family that stands nowhere.
  stands.delete(family);
  if (job.state === undefined) shard.importFamily(family, undefined, estimator);
  else if (!kept) {
    if (!state) throw new Error(`state: expected the one of family ${family}, got none`);
    shard.importFamily(family, decodeState(state), estimator);
  }
  const result = shard.runFamily(family, metaParameters, iteration, estimator);
  const after = blobOf(encodeState(shard.exportFamily(family)));
  stands.set(family, after.ref.sha256);
  return { part: blobOf(encodePart(id, { result, state: after.ref })), state: after };
}

parentPort!.on('message', (request: ComputeRequest) => {
  try {
    if (request.kind === 'has') return parentPort!.postMessage({ has: has(request.job) });
    const done = compute(request);
    const buffers = [done.part, done.state].map(({ bytes }) => bytes.buffer as ArrayBuffer);
    parentPort!.postMessage({ done }, buffers);
  } catch (error) {
    parentPort!.postMessage({ error: (error as Error).message });
  }
});
