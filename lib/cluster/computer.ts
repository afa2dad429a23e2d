import type { Worker as Thread } from 'node:worker_threads';
import { ask, startThread } from '../meta/threads';
import type { ComputeRequest, Task, TaskResults } from './computeThread';
import type { PartPhase } from './partJob';

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

/** Phases whose families are kept. */
const MOST_PHASES = 4;

/** In which states the families of a computer are. */
export class FamilyStates {
  /** Per phase and family the names of its state. */
  private readonly phases = new Map<
    string,
    { readonly shared: PartPhase; readonly names: Map<number, readonly string[]> }
  >();
  private forgotten: PartPhase[] = [];

  private namesOf(shared: PartPhase): Map<number, readonly string[]> {
    const key = JSON.stringify(shared);
    const phase = this.phases.get(key) ?? { shared, names: new Map<number, readonly string[]>() };
    this.phases.delete(key);
    this.phases.set(key, phase);
    if (this.phases.size > MOST_PHASES) {
      const [oldest] = this.phases;
      this.phases.delete(oldest[0]);
      this.forgotten.push(oldest[1].shared);
    }
    return phase.names;
  }

  has({ shared, family }: Task['job'], name: string): boolean {
    return this.namesOf(shared).get(family)?.includes(name) ?? false;
  }

  set({ shared, family }: Task['job'], names: readonly string[]): void {
    this.namesOf(shared).set(family, names);
  }

  clear(): void {
    this.phases.clear();
  }

  /** Phases that are kept no more, to be told once. */
  takeForgotten(): PartPhase[] {
    const taken = this.forgotten;
    this.forgotten = [];
    return taken;
  }
}
