import type { Worker } from 'node:worker_threads';
import { coordinatesOf } from '../problems/lanes/family';
import { corpusEntries } from './corpus';
import type { CorpusChoice } from './corpus';
import type { EstimatorConfig } from './config';
import type { MetaParts, PartsOptions, PartsResult } from './parts';
import type { FamilyResult, FamilyState } from './shard';
import { ask, startThread } from './threads';
import type { WorkerReply, WorkerRequest } from './worker';

/** Work in a truncation of every family, in units of their own, in the order of the corpus. */
export function familyCosts(corpus: CorpusChoice): number[] {
  // A tensor's step costs about as much as seven coordinates'.
  return corpusEntries(corpus).map(
    ({ family, blocks }) => blocks * (coordinatesOf(family) + 7 * family.lengths.length),
  );
}

/** Families by their cost, the most expensive first. */
export function byCost(costs: readonly number[]): number[] {
  return costs.map((_, index) => index).sort((a, b) => costs[b] - costs[a] || a - b);
}

/** Divides the families among threads, the most expensive first, each to the thread with the least to do. */
export function divideFamilies(threads: number, corpus: CorpusChoice = { corpus: 'default' }): number[][] {
  const costs = familyCosts(corpus);
  const shards = Array.from({ length: Math.min(threads, costs.length) }, () => ({ families: [] as number[], cost: 0 }));
  for (const index of byCost(costs)) {
    const least = shards.reduce((a, b) => (b.cost < a.cost ? b : a));
    least.families.push(index);
    least.cost += costs[index];
  }
  return shards.map(({ families }) => families.sort((a, b) => a - b));
}

/** Threads that compute truncations of the whole corpus together. */
export class MetaWorkers implements MetaParts {
  private readonly workers: Worker[];
  /** Per thread the reply to its latest request; a thread takes one at a time. */
  private readonly latest: Promise<unknown>[];

  constructor({ threads, ...options }: PartsOptions & { readonly threads: number }) {
    this.workers = divideFamilies(threads, options).map((families) =>
      startThread('metaWorker.js', new URL('./worker.ts', import.meta.url).href, { ...options, families }),
    );
    this.latest = this.workers.map(() => Promise.resolve());
  }

  private async askAll<T extends { readonly index: number }>(request: WorkerRequest): Promise<T[]> {
    const replies = this.workers.map((worker, i) => {
      const reply = this.latest[i].then(() => ask<WorkerReply>(worker, request));
      // An error is whoever's asked; the requests behind it fail by themselves.
      this.latest[i] = reply.catch(() => undefined);
      return reply;
    });
    return ((await Promise.all(replies)) as (readonly T[] | undefined)[])
      .flatMap((results) => results ?? [])
      .sort((a, b) => a.index - b.index);
  }

  async run(flat: Float64Array, iteration: number, config: EstimatorConfig): Promise<PartsResult> {
    return {
      results: await this.askAll<FamilyResult>({ kind: 'run', flat: flat.slice(), iteration, config }),
      dropped: [],
    };
  }

  exportState(): Promise<FamilyState[]> {
    return this.askAll({ kind: 'export' });
  }

  async importState(states: readonly FamilyState[], config: EstimatorConfig): Promise<void> {
    await this.askAll({ kind: 'import', states, config });
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
