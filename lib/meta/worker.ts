/** A thread that advances a shard of the corpus; `workers.ts` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import type { EstimatorConfig } from './config';
import { Shard } from './shard';
import type { FamilyResult, FamilyState, ShardOptions } from './shard';
import { loadProblems } from './userProblems';

export type WorkerRequest =
  | { readonly kind: 'run'; readonly flat: Float64Array; readonly iteration: number; readonly config: EstimatorConfig }
  | { readonly kind: 'export' }
  | { readonly kind: 'import'; readonly states: readonly FamilyState[]; readonly config: EstimatorConfig };

export type WorkerReply = readonly FamilyResult[] | readonly FamilyState[] | undefined;

const options = workerData as ShardOptions;
// Requests wait in the port until the handler below is there.
await loadProblems(options.problems);
const shard = new Shard(options);

function reply(request: WorkerRequest): WorkerReply {
  switch (request.kind) {
    case 'run':
      return shard.run(request.flat, request.iteration, request.config);
    case 'export':
      return shard.exportState();
    case 'import':
      shard.importState(request.states, request.config);
      return undefined;
  }
}

parentPort!.on('message', (request: WorkerRequest) => parentPort!.postMessage(reply(request)));
