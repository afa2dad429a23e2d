/** A thread that advances a shard of the corpus; `workers.ts` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import type { PesOptions } from './pes';
import { Shard } from './shard';
import type { FamilyResult, FamilyState, ShardOptions } from './shard';

export type WorkerRequest =
  | { readonly kind: 'run'; readonly flat: Float64Array; readonly iteration: number; readonly pes: PesOptions }
  | { readonly kind: 'export' }
  | { readonly kind: 'import'; readonly states: readonly FamilyState[]; readonly pes: PesOptions };

export type WorkerReply = readonly FamilyResult[] | readonly FamilyState[] | undefined;

const shard = new Shard(workerData as ShardOptions);

function reply(request: WorkerRequest): WorkerReply {
  switch (request.kind) {
    case 'run':
      return shard.run(request.flat, request.iteration, request.pes);
    case 'export':
      return shard.exportState();
    case 'import':
      shard.importState(request.states, request.pes);
      return undefined;
  }
}

parentPort!.on('message', (request: WorkerRequest) => parentPort!.postMessage(reply(request)));
