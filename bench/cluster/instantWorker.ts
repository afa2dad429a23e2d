/**
 * A worker that has its answers ready: every family's first part is computed, all others are that one again. Arguments: the
 * cluster's name, and the milliseconds that all parts of an iteration take together, each by its share of the work.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../lib/cluster/address';
import { Computer } from '../../lib/cluster/computer';
import type { Task, TaskOutcome } from '../../lib/cluster/computeThread';
import { blobOf, decodeParts, encodeParts } from '../../lib/cluster/payloads';
import type { Blob } from '../../lib/cluster/payloads';
import type { TruncationResult } from '../../lib/meta/estimator';
import { ClusterWorker } from '../../lib/cluster/worker';
import { familyCosts } from '../../lib/meta/workers';

const computer = new Computer(undefined);
const milliseconds = Number(process.argv[3]);
const known = new Map<number, { readonly result: TruncationResult; readonly state: Blob }>();

/** Computes a family's part from the beginning. */
async function first(task: Task): Promise<{ result: TruncationResult; state: Blob }> {
  const { outcomes, parts } = await computer.run({
    tasks: [{ ...task, from: 'beginning', result: true, state: true }],
    forget: [],
  });
  const [outcome] = outcomes;
  if ('failed' in outcome) throw new Error(outcome.failed);
  const [result] = decodeParts(parts!.bytes, [task.id], task.metaParameters.length);
  return { result, state: outcome.state! };
}

async function answer(task: Task): Promise<TaskOutcome & { readonly seconds: number }> {
  const { job } = task;
  if (!known.has(job.family)) known.set(job.family, await first(task));
  const costs = familyCosts(job.shared);
  const seconds = (milliseconds * costs[job.family]) / costs.reduce((a, b) => a + b, 0) / 1000;
  if (seconds > 0) await sleep(1000 * seconds);
  return { seconds, state: task.state ? known.get(job.family)!.state : undefined };
}

const worker = await ClusterWorker.start({
  address: parseAddress(process.env['CLUSTER_URL']!, 'bench'),
  name: process.argv[2],
  lockSeconds: 30,
  compute: {
    run: async ({ tasks }) => {
      const outcomes: TaskOutcome[] = [];
      for (const task of tasks) outcomes.push(await answer(task));
      const wanted = tasks.filter(({ result }) => result);
      const parts = wanted.map(({ id, job }) => ({ job: id, result: known.get(job.family)!.result }));
      return { outcomes, parts: parts.length > 0 ? blobOf(encodeParts(parts)) : undefined };
    },
    close: () => computer.close(),
  },
});
process.on('SIGTERM', () => void worker.close().then(() => process.exit(0)));
