import { CLUSTER_VARIABLE, parseAddress } from '../../lib/cluster/address';
import { Coordinator } from '../../lib/cluster/coordinator';
import type { CoordinatorCounts } from '../../lib/cluster/coordinator';
import type { WorkerCounts } from '../../lib/cluster/worker';
import { DEFAULT_META_TRAINING } from '../../lib/meta/config';
import type { MetaTrainingConfig } from '../../lib/meta/config';
import type { CorpusName } from '../../lib/meta/corpus';
import { metaTrain } from '../../lib/meta/trainer';
import { endChild, processorSeconds, startChild } from './processes';

/** A stretch of a run, after its warm-up. */
export interface Stretch {
  readonly iterations: number;
  readonly seconds: number;
  readonly iterationsPerSecond: number;
  /** Of this process, which is trainer or coordinator. */
  readonly processorSeconds: number;
  /** Likewise of the workers together, and of Redis. */
  readonly others: Readonly<Record<string, number>>;
}

export interface ClusterStretch extends Stretch {
  readonly workers: number;
  readonly counts: CoordinatorCounts;
  /** Of the whole run, warm-up included. */
  readonly workerCounts: readonly WorkerCounts[];
}

export const say = (text: string): void => void process.stderr.write(`${text}\n`);
export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** The setting of the shipped weights in its evolution phase. */
export function configOf(
  {
    corpus,
    truncation,
    copies,
    staleness,
  }: {
    readonly corpus: CorpusName;
    readonly truncation?: number;
    readonly copies?: number;
    readonly staleness?: number;
  },
  iterations: number,
): MetaTrainingConfig {
  const [, evolution] = DEFAULT_META_TRAINING.phases;
  const estimator = { ...evolution.estimator, ...(truncation === undefined ? {} : { truncation }) };
  return { ...DEFAULT_META_TRAINING, corpus, copies, staleness, phases: [{ ...evolution, estimator, iterations }] };
}

/** Trains; times the iterations after the warm-up. */
export async function timed(
  config: MetaTrainingConfig,
  warmUp: number,
  options: Pick<Parameters<typeof metaTrain>[0], 'threads' | 'parts'>,
  others: Readonly<Record<string, readonly number[]>> = {},
): Promise<Stretch & { readonly average: Float64Array }> {
  const used = (): Record<string, number> =>
    Object.fromEntries(Object.entries(others).map(([name, ids]) => [name, sum(ids.map(processorSeconds))]));
  let begun = { time: 0, cpu: process.cpuUsage(), others: used() };
  let stretch: Stretch | undefined;
  const average = await metaTrain({
    ...{ config, ...options },
    onProgress: ({ iteration, iterations }) => {
      if (iteration === warmUp) {
        begun = { time: performance.now(), cpu: process.cpuUsage(), others: used() };
      }
      if (iteration < iterations) return;
      const seconds = (performance.now() - begun.time) / 1000;
      const { user, system } = process.cpuUsage(begun.cpu);
      const done = iteration - warmUp;
      stretch = {
        ...{ iterations: done, seconds, iterationsPerSecond: done / seconds },
        processorSeconds: (user + system) / 1e6,
        others: Object.fromEntries(
          Object.entries(used()).map(([name, seconds]) => [name, seconds - begun.others[name]]),
        ),
      };
    },
  });
  return { ...stretch!, average };
}

/** Iterations per second of two trainers together that have nothing to do with each other: what the machine can give. */
export async function apart(config: MetaTrainingConfig, warmUp: number): Promise<number> {
  const args = [JSON.stringify({ config, warmUp })];
  const children = [1, 2].map(() => startChild('bench/cluster/trainerChild.ts', args, {}));
  const rates = (await Promise.all(children.map(({ stdout }) => stdout))).map(Number);
  if (rates.some((rate) => !(rate > 0))) throw new Error('a trainer in a process of its own has ended without a rate');
  return sum(rates);
}

/**
 * What a worker is: the real one, or one that has its answers ready and gives each after its share of so many milliseconds,
 * which is how long it takes for a whole iteration.
 */
export type WorkerKind = 'real' | number;

let runs = 0;

export async function cluster(
  redis: { readonly url: string; readonly processId: number },
  config: MetaTrainingConfig,
  warmUp: number,
  workers: readonly WorkerKind[],
): Promise<ClusterStretch & { readonly average: Float64Array }> {
  const { url, processId } = redis;
  // Names of its own: a run before with the same configuration had the same jobs.
  const name = `bench-${++runs}`;
  const coordinator = await Coordinator.open({ address: parseAddress(url, 'bench'), name, say });
  const children = workers.map((kind) =>
    kind === 'real'
      ? startChild('lib/cli/main.ts', ['worker', '--processes', '1', '--cluster-name', name, '--json'], {
          [CLUSTER_VARIABLE]: url,
        })
      : startChild('bench/cluster/instantWorker.ts', [name, String(kind)], { CLUSTER_URL: url }),
  );
  try {
    const stretch = await timed(
      config,
      warmUp,
      { threads: 1, parts: coordinator.parts },
      { workers: children.map(({ process: { pid } }) => pid!), redis: [processId] },
    );
    const counts = coordinator.counts();
    const printed = await Promise.all(children.map(endChild));
    const workerCounts = printed.filter((text) => text !== '').map((text) => JSON.parse(text) as WorkerCounts);
    return { ...stretch, workers: workers.length, counts, workerCounts };
  } finally {
    children.forEach(({ process: child }) => child.kill('SIGKILL'));
    await coordinator.close();
  }
}
