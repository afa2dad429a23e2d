import type { Worker as Thread } from 'node:worker_threads';
import { ask, startThread } from '../meta/threads';
import type { ComputeReply, ComputeRequest, DonePart } from './computeThread';
import type { PartJob } from './partJob';

/** A thread that computes parts. One that has died, for want of memory or otherwise, is started anew by the next job. */
export class Computer {
  private thread: Thread | undefined;

  /** @param problems absolute path of the user's module of problems */
  constructor(private readonly problems: string | undefined) {}

  private async ask(request: ComputeRequest): Promise<ComputeReply> {
    this.thread ??= startThread('clusterComputeThread.js', new URL('./computeThread.ts', import.meta.url).href, {
      problems: this.problems,
    });
    try {
      return await ask<ComputeReply>(this.thread, request);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Whether the job's state is here already. */
  async has(job: PartJob): Promise<boolean> {
    const reply = await this.ask({ kind: 'has', job });
    if ('error' in reply) throw new Error(reply.error);
    return 'has' in reply && reply.has;
  }

  /**
   * Does a part.
   * @param state needed where `has` is false
   * @throws {Error} with what the computation threw
   */
  async compute(request: Omit<ComputeRequest & { kind: 'compute' }, 'kind'>): Promise<DonePart> {
    const reply = await this.ask({ kind: 'compute', ...request });
    if ('error' in reply) throw new Error(reply.error);
    if (!('done' in reply)) throw new Error('a computing thread gave no part');
    return reply.done;
  }

  async close(): Promise<void> {
    const { thread } = this;
    this.thread = undefined;
    await thread?.terminate();
  }
}
