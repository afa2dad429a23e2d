/** A thread that advances a shard of the corpus; `workers.ts` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import type { PesOptions } from './pes';
import { Shard } from './shard';
import type { ShardOptions } from './shard';

export interface WorkerRequest {
  readonly flat: Float64Array;
  readonly iteration: number;
  readonly pes: PesOptions;
}

const shard = new Shard(workerData as ShardOptions);
parentPort!.on('message', ({ flat, iteration, pes }: WorkerRequest) => {
  parentPort!.postMessage(shard.run(flat, iteration, pes));
});
