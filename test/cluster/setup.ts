import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Coordinator } from '../../lib/cluster/coordinator';
import type { CoordinatorCounts, CoordinatorOptions } from '../../lib/cluster/coordinator';
import { parseAddress } from '../../lib/cluster/address';
import type { Role } from '../../lib/cluster/presence';
import { clusterStatus } from '../../lib/cluster/status';
import type { MetaTrainingConfig } from '../../lib/meta/config';
import type { DroppedPart } from '../../lib/meta/parts';
import { metaTrain } from '../../lib/meta/trainer';
import { RUN } from '../meta/runSetup';
import { start } from '../cli/run';
import type { Outcome } from '../cli/run';

/** Both estimators, as short as may be. */
export const SHORT: MetaTrainingConfig = {
  ...RUN.config,
  phases: RUN.config.phases.map((phase) => ({
    ...phase,
    iterations: 2,
    estimator: { ...phase.estimator, truncation: 3, horizon: [3, 9] },
    horizonGrowth: [6, 9],
  })),
};

/** Evolution strategies alone, for so many iterations. */
export function evolution(iterations: number): MetaTrainingConfig {
  const [, phase] = SHORT.phases;
  return { ...SHORT, phases: [{ ...phase, iterations }] };
}

export interface ClusterRun {
  readonly average: Float64Array;
  readonly counts: CoordinatorCounts;
  readonly said: readonly string[];
  readonly dropped: readonly (DroppedPart & { readonly iteration: number })[];
}

/** A run whose coordinator is this process. */
export async function runOnCluster(
  url: string,
  config: MetaTrainingConfig,
  { onIteration, ...options }: Partial<CoordinatorOptions> & { onIteration?: (n: number) => unknown } = {},
): Promise<ClusterRun> {
  const said: string[] = [];
  const dropped: (DroppedPart & { iteration: number })[] = [];
  const coordinator = await Coordinator.open({
    ...{ address: parseAddress(url, 'test'), problems: config.problems, pollSeconds: 1, ...options },
    say: (text) => said.push(text),
  });
  try {
    const average = await metaTrain({
      ...{ config, threads: 1, parts: coordinator.parts },
      onProgress: async ({ iteration, dropped: parts }) => {
        dropped.push(...parts.map((part) => ({ iteration, ...part })));
        await onIteration?.(iteration);
      },
    });
    return { average, counts: coordinator.counts(), said, dropped };
  } finally {
    await coordinator.close();
  }
}

/** Waits until so many members of a role have shown themselves. */
export async function membersThere(url: string, role: Role, count: number): Promise<void> {
  const address = parseAddress(url, 'test');
  const there = async (): Promise<number> =>
    (await clusterStatus(address)).members.filter((member) => member.role === role).length;
  while ((await there()) < count) await sleep(50);
}

/** What a child of `workerChild.ts` does beside its work. */
export interface ChildBehaviour {
  /** Milliseconds that every part takes longer. */
  readonly delay?: number;
  /** A family whose parts throw. */
  readonly failingFamily?: number;
  readonly version?: string;
  readonly lockSeconds?: number;
  readonly silenceSeconds?: number;
}

export interface WorkerChild {
  readonly child: ChildProcess;
  readonly finished: Promise<Outcome>;
  /** Lines that it has written. */
  lines(): string[];
}

/** A worker in a process of its own. */
export function startWorker(url: string, behaviour: ChildBehaviour = {}): WorkerChild {
  const { child, finished } = start('test/cluster/workerChild.ts', [], {
    CLUSTER_URL: url,
    CLUSTER_BEHAVIOUR: JSON.stringify(behaviour),
  });
  let text = '';
  child.stdout!.on('data', (data: Buffer) => (text += data.toString()));
  return { child, finished, lines: () => text.split('\n').filter((line) => line !== '') };
}

export async function stopWorkers(workers: readonly WorkerChild[]): Promise<void> {
  for (const { child } of workers) child.kill('SIGKILL');
  await Promise.all(workers.map(({ finished }) => finished));
}
