import { Worker } from 'node:worker_threads';
import { ImageError } from './decode';
import type { BatchPlan } from './order';
import type { FileStore, ImageSet } from './source';
import type { WorkerOptions, WorkerReply, WorkerRequest } from './worker';

const ENTRY = new URL('./startWorker.mjs', import.meta.url);

/** Images ready for a network. */
export interface Batch {
  /** [count][size][size][3] in [−1, 1]. */
  readonly images: Float32Array<ArrayBuffer>;
  /** [count] */
  readonly labels: Int32Array;
  readonly count: number;
  /** Why images of the batch are missing: those that could not be decoded. */
  readonly skipped: readonly string[];
}

export interface PoolOptions extends Omit<WorkerOptions, 'stores'> {
  readonly sets: readonly ImageSet[];
  /** Threads, at least 1. What they make does not depend on their number. */
  readonly workers: number;
}

interface Job {
  readonly request: WorkerRequest;
  readonly resolve: (reply: WorkerReply) => void;
  readonly reject: (error: Error) => void;
}

/** Threads that make batches, so that the main thread is free to train. */
export class ImagePool {
  private readonly workers: readonly Worker[];
  private readonly idle: Worker[];
  private readonly running = new Map<Worker, Job>();
  private readonly waiting: Job[] = [];
  private failure: Error | undefined;

  /** @throws {RangeError} if `workers` or `size` is no whole number of at least 1 */
  constructor(private readonly options: PoolOptions) {
    for (const name of ['workers', 'size'] as const) {
      if (!Number.isSafeInteger(options[name]) || options[name] < 1) {
        throw new RangeError(`${name}: expected a whole number of at least 1, got ${String(options[name])}`);
      }
    }
    const { size, augmentation, centreShare, skipDamaged } = options;
    const stores = options.sets.map(({ store }) => (store.kind === 'pixels' ? store : undefined));
    const workerData: WorkerOptions = { stores, size, augmentation, centreShare, skipDamaged };
    this.workers = Array.from({ length: options.workers }, () => this.watch(new Worker(ENTRY, { workerData })));
    this.idle = [...this.workers];
  }

  private watch(worker: Worker): Worker {
    worker.on('message', (reply: WorkerReply) => {
      const job = this.running.get(worker);
      this.running.delete(worker);
      this.idle.push(worker);
      this.assign();
      job?.resolve(reply);
    });
    worker.on('error', (error) => this.fail(error as Error));
    worker.on('exit', (code) => this.fail(new Error(`a thread of the input pipeline ended with code ${code}`)));
    return worker;
  }

  /** Without one of its threads the pool is of no use. */
  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of [...this.running.values(), ...this.waiting.splice(0)]) reject(this.failure);
    this.running.clear();
  }

  private assign(): void {
    while (this.idle.length > 0 && this.waiting.length > 0) {
      const worker = this.idle.shift()!;
      const job = this.waiting.shift()!;
      this.running.set(worker, job);
      worker.postMessage(job.request);
    }
  }

  /**
   * Makes one batch of the set with index `store`.
   * @throws {ImageError} naming the file that cannot be decoded; with `skipDamaged` only if none of the batch can
   */
  async batch(store: number, { indices, seeds }: BatchPlan): Promise<Batch> {
    const set = this.options.sets[store];
    const images = set.store.kind === 'files' ? Array.from(indices, (i) => (set.store as FileStore).paths[i]) : indices;
    const reply = await new Promise<WorkerReply>((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      this.waiting.push({ request: { store, images, seeds }, resolve, reject });
      this.assign();
    });
    if ('error' in reply) throw new ImageError(reply.error);
    const { kept, skipped } = reply;
    if (kept.length === 0) throw new ImageError(`no image of a batch can be decoded: ${skipped[0]}`);
    const labels = Int32Array.from(kept, (i) => set.labels[indices[i]]);
    return { images: reply.images, labels, count: kept.length, skipped };
  }

  /**
   * Batches in the order of their plans, whichever thread is done first.
   * @param prefetch at most so many are being made or wait for the reader, which bounds the memory
   */
  async *stream(store: number, plans: Iterable<BatchPlan>, prefetch: number): AsyncGenerator<Batch, void, undefined> {
    if (!Number.isSafeInteger(prefetch) || prefetch < 1) {
      throw new RangeError(`prefetch: expected a whole number of at least 1, got ${String(prefetch)}`);
    }
    const ahead: Promise<Batch>[] = [];
    for (const plan of plans) {
      const batch = this.batch(store, plan);
      // It is awaited later; until then a failure is not unhandled.
      batch.catch(() => {});
      ahead.push(batch);
      if (ahead.length >= prefetch) yield await ahead.shift()!;
    }
    while (ahead.length > 0) yield await ahead.shift()!;
  }

  /** Ends the threads; batches that are not ready fail. */
  async close(): Promise<void> {
    this.fail(new Error('the input pipeline has been closed'));
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
