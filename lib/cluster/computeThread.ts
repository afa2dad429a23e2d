/** The thread of a worker that computes parts, so that the process can answer Redis meanwhile; `computer.ts` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import { metaParameterCount } from '../meta/flat';
import { Shard } from '../meta/shard';
import { loadProblems } from '../meta/userProblems';
import type { PartJob, PartPhase } from './partJob';
import { blobOf, decodeState, encodeParts, encodeState } from './payloads';
import type { Blob, DonePart } from './payloads';

/** What a thread is to do about a family. */
export interface Task {
  readonly id: string;
  readonly job: PartJob;
  readonly metaParameters: Float64Array;
  /** From where the part is computed; absent: it has been, and the family is in the state after it. */
  readonly from?: 'beginning' | 'where it is' | Uint8Array;
  /** Whether what the part says is wanted, and the state after it. */
  readonly result: boolean;
  readonly state: boolean;
}

/** What came of a task: seconds of computation, and the state if it was wanted. */
export type TaskOutcome = { readonly seconds: number; readonly state?: Blob } | { readonly failed: string };

export interface TaskResults {
  readonly outcomes: readonly TaskOutcome[];
  /** What the parts say of the tasks whose results were wanted, if there are any. */
  readonly parts?: Blob;
}

export interface ComputeRequest {
  readonly tasks: readonly Task[];
  /** Phases that no task will be of any more. */
  readonly forget: readonly PartPhase[];
}

const { problems } = workerData as { readonly problems?: string };
await loadProblems(problems);
const shards = new Map<string, Shard>();

function shardOf(shared: PartPhase): Shard {
  const key = JSON.stringify(shared);
  let shard = shards.get(key);
  shard ??= new Shard({ ...shared, problems: shared.problems === undefined ? undefined : problems, families: [] });
  shards.set(key, shard);
  return shard;
}

function compute({ job, id, metaParameters, from }: Task): DonePart {
  const { shared, family, iteration, estimator } = job;
  const wanted = metaParameterCount(shared.architecture);
  if (metaParameters.length !== wanted) {
    throw new RangeError(`metaParameters: expected ${wanted}, got ${metaParameters.length}`);
  }
  const shard = shardOf(shared);
  if (from === 'beginning') shard.importFamily(family, undefined, estimator);
  else if (from instanceof Uint8Array) shard.importFamily(family, decodeState(from), estimator);
  return { job: id, result: shard.runFamily(family, metaParameters, iteration, estimator) };
}

function run(tasks: readonly Task[]): TaskResults {
  const parts: DonePart[] = [];
  const outcomes = tasks.map((task): TaskOutcome => {
    try {
      const started = performance.now();
      const part = task.from === undefined ? undefined : compute(task);
      const seconds = part ? (performance.now() - started) / 1000 : 0;
      const { shared, family } = task.job;
      const state = task.state ? blobOf(encodeState(shardOf(shared).exportFamily(family))) : undefined;
      if (task.result && part) parts.push(part);
      return { seconds, state };
    } catch (error) {
      return { failed: (error as Error).message };
    }
  });
  return { outcomes, parts: parts.length > 0 ? blobOf(encodeParts(parts)) : undefined };
}

parentPort!.on('message', ({ tasks, forget }: ComputeRequest) => {
  for (const shared of forget) shards.delete(JSON.stringify(shared));
  // Copied, not transferred: once a thread has given away a buffer, V8 checks every access to a typed array for one that is
  // gone, which makes all loops over arrays slower.
  parentPort!.postMessage(run(tasks));
});
