import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { coordinatesOf } from '../problems/lanes/family';
import { corpusEntries } from './corpus';
import type { CorpusChoice } from './corpus';
import type { EstimatorConfig } from './config';
import type { FamilyResult, FamilyState, ShardOptions } from './shard';
import type { WorkerReply, WorkerRequest } from './worker';

/** Divides the families among threads, the most expensive first, each to the thread with the least to do. */
export function divideFamilies(threads: number, corpus: CorpusChoice = { corpus: 'default' }): number[][] {
  const work = corpusEntries(corpus).map(({ family, blocks }, index) => ({
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

/** In the sources the thread is a TypeScript file, which needs tsx; in the bundle a JavaScript file beside this one. */
function startWorker(workerData: ShardOptions): Worker {
  const bundled = new URL('./metaWorker.js', import.meta.url);
  if (existsSync(fileURLToPath(bundled))) return new Worker(bundled, { workerData });
  const source = new URL('./worker.ts', import.meta.url).href;
  const bootstrap = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(source)}); });`;
  return new Worker(bootstrap, { eval: true, workerData });
}

/** Sends a request and waits for its reply. A worker takes one request at a time. */
function ask(worker: Worker, request: WorkerRequest): Promise<WorkerReply> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      worker.off('message', onMessage);
      worker.off('error', onError);
      worker.off('exit', onExit);
    };
    const onMessage = (message: WorkerReply): void => (settle(), resolve(message));
    const onError = (error: Error): void => (settle(), reject(error));
    const onExit = (code: number): void => (
      settle(),
      reject(new Error(`a meta-training thread ended with code ${code}`))
    );
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.on('exit', onExit);
    worker.postMessage(request);
  });
}

/** Threads that compute truncations of the whole corpus together. */
export class MetaWorkers {
  private readonly workers: Worker[];

  constructor(options: Omit<ShardOptions, 'families'> & { readonly threads: number }) {
    this.workers = divideFamilies(options.threads, options).map((families) => {
      const { threads: _, ...shard } = options;
      return startWorker({ ...shard, families });
    });
  }

  private async askAll<T extends { readonly index: number }>(request: WorkerRequest): Promise<T[]> {
    const replies = await Promise.all(this.workers.map((worker) => ask(worker, request)));
    return (replies as (readonly T[] | undefined)[])
      .flatMap((results) => results ?? [])
      .sort((a, b) => a.index - b.index);
  }

  /** One truncation of all families, in the order of the corpus. */
  run(flat: Float64Array, iteration: number, config: EstimatorConfig): Promise<FamilyResult[]> {
    return this.askAll({ kind: 'run', flat, iteration, config });
  }

  /** State of all families between two truncations, in the order of the corpus. */
  exportState(): Promise<FamilyState[]> {
    return this.askAll({ kind: 'export' });
  }

  /** @throws {RangeError} if a family's state is missing or does not fit */
  async importState(states: readonly FamilyState[], config: EstimatorConfig): Promise<void> {
    await this.askAll({ kind: 'import', states, config });
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
