import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Architecture } from '../optimizer/architecture';
import { coordinatesOf } from '../problems/lanes/family';
import { defaultCorpus } from './corpus';
import type { PesOptions } from './pes';
import type { FamilyResult, ShardOptions } from './shard';
import type { WorkerRequest } from './worker';

/** Divides the families among threads, the most expensive first, each to the thread with the least to do. */
export function divideFamilies(threads: number): number[][] {
  const work = defaultCorpus().map(({ family, blocks }, index) => ({
    index,
    // A tensor's step costs about as much as seven coordinates'.
    cost: blocks * (coordinatesOf(family) + 7 * family.lengths.length),
  }));
  const shards = Array.from({ length: Math.min(threads, work.length) }, () => ({ families: [] as number[], cost: 0 }));
  for (const { index, cost } of work.sort((a, b) => b.cost - a.cost || a.index - b.index)) {
    const least = shards.reduce((a, b) => (b.cost < a.cost ? b : a));
    least.families.push(index);
    least.cost += cost;
  }
  return shards.map(({ families }) => families.sort((a, b) => a - b));
}

/** In the sources the thread is a TypeScript file, in the bundle a JavaScript file beside this one. */
function workerFile(): URL {
  const bundled = new URL('./metaWorker.js', import.meta.url);
  return existsSync(fileURLToPath(bundled)) ? bundled : new URL('./worker.ts', import.meta.url);
}

/** Threads that compute truncations of the whole corpus together. */
export class MetaWorkers {
  private readonly workers: Worker[];

  constructor(options: { readonly architecture: Architecture; readonly seed: number; readonly threads: number }) {
    this.workers = divideFamilies(options.threads).map((families) => {
      const workerData: ShardOptions = { architecture: options.architecture, seed: options.seed, families };
      return new Worker(workerFile(), { workerData });
    });
  }

  /** One truncation of all families, in the order of the corpus. */
  async run(flat: Float64Array, iteration: number, pes: PesOptions): Promise<FamilyResult[]> {
    const request: WorkerRequest = { flat, iteration, pes };
    const results = await Promise.all(
      this.workers.map(
        (worker) =>
          new Promise<FamilyResult[]>((resolve, reject) => {
            const settle = (): void => {
              worker.off('message', onMessage);
              worker.off('error', onError);
              worker.off('exit', onExit);
            };
            const onMessage = (message: FamilyResult[]): void => (settle(), resolve(message));
            const onError = (error: Error): void => (settle(), reject(error));
            const onExit = (code: number): void => (
              settle(),
              reject(new Error(`a meta-training thread ended with code ${code}`))
            );
            worker.on('message', onMessage);
            worker.on('error', onError);
            worker.on('exit', onExit);
            worker.postMessage(request);
          }),
      ),
    );
    return results.flat().sort((a, b) => a.index - b.index);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
