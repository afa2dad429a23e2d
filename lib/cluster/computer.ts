import type { Worker as Thread } from 'node:worker_threads';
import { ask, startThread } from '../meta/threads';
import type { ComputeRequest, TaskResults } from './computeThread';

/** What a worker needs of whatever computes parts. */
export interface PartComputer {
  /** Does tasks one after the other. One that fails does not keep the others from being done. */
  run(request: ComputeRequest): Promise<TaskResults>;
  close(): Promise<void>;
}

/** A thread that computes parts. One that has died, for want of memory or otherwise, is started anew by the next tasks. */
export class Computer implements PartComputer {
  private thread: Thread | undefined;
  private isClosed = false;

  /** @param problems absolute path of the user's module of problems */
  constructor(private readonly problems: string | undefined) {}

  /** @throws {Error} if the thread dies, all families are then in no state; after `close` */
  async run(request: ComputeRequest): Promise<TaskResults> {
    if (this.isClosed) throw new Error('the worker is closing');
    this.thread ??= startThread('clusterComputeThread.js', new URL('./computeThread.ts', import.meta.url).href, {
      problems: this.problems,
    });
    try {
      return await ask<TaskResults>(this.thread, request);
    } catch (error) {
      await this.endThread();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.endThread();
  }

  private async endThread(): Promise<void> {
    const { thread } = this;
    this.thread = undefined;
    await thread?.terminate();
  }
}
