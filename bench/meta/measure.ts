import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { defaultCorpus } from '../../lib/meta/corpus';
import { divideFamilies } from '../../lib/meta/workers';
import type { Job, Subject } from './jobs';
import type { ThreadRequest } from './thread';

/** One stretch of measuring. */
export interface Sample {
  readonly steps: number;
  /** Wall time, and processor time of all threads; seconds. */
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** A subject on one family, or on the mix. */
export interface Measured {
  readonly subject: Subject;
  /** Name of a family, or 'mix'. */
  readonly family: string;
  readonly samples: Sample[];
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** A thread that runs a TypeScript file: tsx registers in the main thread alone. */
function startThread(): Worker {
  const source = JSON.stringify(new URL('thread.ts', import.meta.url).href);
  return new Worker(`import('tsx/esm/api').then(({ register }) => { register(); return import(${source}); });`, {
    eval: true,
  });
}

/** Threads that iterate together: an iteration ends when all have done their part, as in meta-training. */
export class Threads {
  private readonly workers: Worker[];
  private count = 0;

  constructor(threads: number) {
    this.workers = Array.from({ length: threads }, startThread);
  }

  private async post(requests: readonly ThreadRequest[]): Promise<number> {
    const answers = await Promise.all(
      requests.map(async (request, i) => {
        this.workers[i].postMessage(request);
        const [steps] = (await once(this.workers[i], 'message')) as [number];
        return steps;
      }),
    );
    return answers.reduce((a, b) => a + b, 0);
  }

  /** A contestant: the function measures it for at least so long. */
  async prepare(jobs: readonly Job[]): Promise<(seconds: number) => Promise<Sample>> {
    const number = this.count++;
    // Warm-up: code is compiled, memory touched.
    await this.post(jobs.map((job) => ({ number, job })));
    for (let i = 0; i < 2; i++) await this.post(jobs.map(() => ({ number })));
    return async (seconds) => {
      const [wall, cpu] = [performance.now(), cpuSeconds()];
      let steps = 0;
      do steps += await this.post(jobs.map(() => ({ number })));
      while (performance.now() - wall < 1000 * seconds);
      return { steps, seconds: (performance.now() - wall) / 1000, cpuSeconds: cpuSeconds() - cpu };
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}

/** Jobs of one subject: a family on every thread, or the mix divided among them. */
function jobsOf(subject: Subject, family: number | 'mix', threads: number): Job[] {
  const shards = family === 'mix' ? divideFamilies(threads) : Array.from({ length: threads }, () => [family]);
  return shards.map((families, seed) => ({ subject, families, seed: 100 * seed + 1 }));
}

/** Measures all subjects on one family, or the mix, in turns. */
export async function measureFamily(
  threads: Threads,
  count: number,
  family: number | 'mix',
  subjects: readonly Subject[],
  effort: { readonly seconds: number; readonly rounds: number },
): Promise<Measured[]> {
  const contestants: { readonly measured: Measured; readonly run: (seconds: number) => Promise<Sample> }[] = [];
  for (const subject of subjects) {
    const run = await threads.prepare(jobsOf(subject, family, count));
    const name = family === 'mix' ? 'mix' : defaultCorpus()[family].family.name;
    contestants.push({ measured: { subject, family: name, samples: [] }, run });
  }
  for (let round = 0; round < effort.rounds; round++) {
    for (const { measured, run } of contestants) measured.samples.push(await run(effort.seconds));
  }
  return contestants.map(({ measured }) => measured);
}
