import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CLUSTER_VARIABLE } from '../../cluster/address';
import type { ClusterAddress } from '../../cluster/address';
import type { WorkerCounts } from '../../cluster/worker';
import { addClusterOptions, addressOf, endOnSigterm } from '../cluster';
import type { ClusterCommandOptions } from '../cluster';
import type { Context } from '../context';
import { UsageError } from '../exit';
import { integerAtLeast, numberUpTo, positiveNumber } from '../options';
import { note, printJson, printLine } from '../output';
import { keepProcess, tellParent } from '../processes';

interface WorkerCommandOptions extends ClusterCommandOptions {
  processes: number;
  problems?: string;
  lockSeconds: number;
  minutes?: number;
  json?: boolean;
}

const HELP = `
A worker computes parts of whatever "meta-train --cluster" runs there are: iterations of single families of problems. Start as many as there
are cores, on any number of machines; they join and leave at will. One that is killed loses nothing: its jobs go to others.

Ctrl-C and SIGTERM end it when the jobs in hand are done; a second one ends it at once.

Workers and coordinator need the same version of this package and, for the same bits, the same instruction set ("learned-optimizer info" says
which; the environment variable LEARNED_OPTIMIZER_ISA chooses one). A worker of another version gets no jobs, and says so.

A URL with a password does not belong on a command line, which everyone on the machine can read: put it into the environment variable
${CLUSTER_VARIABLE} or into a file for --cluster-file. For TLS with a certificate of your own set NODE_EXTRA_CA_CERTS.

Problems of your own are code and never come from the queue: a run with --problems FILE takes workers that have been given the same file.

Examples:
  $ learned-optimizer worker --cluster redis://queue.example:6379
      one process per core of this machine
  $ ${CLUSTER_VARIABLE}=rediss://:PASSWORD@queue.example:6379 learned-optimizer worker --processes 1
      one process, password and TLS
  $ learned-optimizer worker --cluster-file /run/secrets/redis-url --problems ./mine.mjs
      for a run with problems of your own
`;

/** Seconds after which a process that has nothing more to do ends, whatever is left open. */
const LINGER_SECONDS = 0.5;

function say(context: Context, text: string): void {
  note(context.streams, `worker ${process.pid}: ${text}`);
}

/** Computes parts in this process until the signal comes. */
async function work(
  address: ClusterAddress,
  options: WorkerCommandOptions,
  context: Context,
  signal: AbortSignal,
): Promise<WorkerCounts> {
  // Loaded only here, with BullMQ.
  const { ClusterWorker, NO_COUNTS } = await import('../../cluster/worker');
  const worker = await ClusterWorker.start({
    ...{ address, name: options.clusterName, lockSeconds: options.lockSeconds, signal },
    problems: options.problems === undefined ? undefined : resolve(options.problems),
    say: (text) => say(context, text),
  }).catch((error: Error) => {
    // Told to end before it could begin.
    if (signal.aborted) return undefined;
    throw error;
  });
  if (worker) {
    say(context, `waits for jobs at ${address.shown}`);
    if (!signal.aborted) await once(signal, 'abort');
    say(context, 'ends when the jobs in hand are done');
    await worker.close();
  }
  // Where Redis went meanwhile, BullMQ may leave timers that would hold the process.
  setTimeout(() => process.exit(), 1000 * LINGER_SECONDS).unref();
  return worker?.counts ?? NO_COUNTS;
}

/** Computes parts in processes of their own, until the signal comes. */
async function workInProcesses(
  address: ClusterAddress,
  options: WorkerCommandOptions,
  context: Context,
  signal: AbortSignal,
): Promise<WorkerCounts[]> {
  const counts: WorkerCounts[] = [];
  const args = ['worker', '--processes', '1', '--lock-seconds', String(options.lockSeconds)];
  if (typeof options.cluster === 'string') args.push('--cluster', options.cluster);
  if (options.clusterFile !== undefined) args.push('--cluster-file', options.clusterFile);
  if (options.clusterName !== undefined) args.push('--cluster-name', options.clusterName);
  if (options.problems !== undefined) args.push('--problems', options.problems);
  // What is wrong with the address is said once, and not by all of them again and again.
  const { tryConnection } = await import('../../cluster/redis');
  await tryConnection(address, signal).catch((error: Error) => {
    if (!signal.aborted) throw error;
  });
  const keep = (): Promise<void> =>
    keepProcess({
      ...{ args, signal, say: (text) => note(context.streams, text) },
      onMessage: (message) => counts.push(message as WorkerCounts),
    });
  await Promise.all(Array.from({ length: options.processes }, keep));
  return counts;
}

/** Sums, over all processes. */
function total(counts: readonly WorkerCounts[]): Partial<WorkerCounts> {
  const sum: Partial<WorkerCounts> = {};
  for (const one of counts) {
    for (const [name, value] of Object.entries(one) as [keyof WorkerCounts, number][]) {
      sum[name] = (sum[name] ?? 0) + value;
    }
  }
  return sum;
}

async function workerCommand(options: WorkerCommandOptions, context: Context): Promise<void> {
  const address = addressOf(options);
  if (options.problems !== undefined && !existsSync(options.problems)) {
    throw new UsageError(`--problems: expected a JavaScript module, but ${options.problems} does not exist`);
  }
  const signal = endOnSigterm(context.signal, options.minutes);
  const { processes } = options;
  const counts =
    processes === 1
      ? await work(address, options, context, signal)
      : total(await workInProcesses(address, options, context, signal));
  await tellParent(counts);
  if (options.json) return printJson(context.streams, counts);
  const { parts = 0, refused = 0, missing = 0, failed = 0, busySeconds = 0 } = counts;
  printLine(
    context.streams,
    `parts  ${parts} in ${busySeconds.toFixed(1)} s of computation; refused ${refused}, without their payloads ${missing}, failed ${failed}`,
  );
}

export function addWorkerCommand(program: Command, context: Context): void {
  addClusterOptions(program.command('worker'))
    .summary('compute parts of meta-training runs, with others, for a coordinator')
    .description('Computes parts of the meta-training runs of a cluster, which "meta-train --cluster" coordinates.')
    .option('--processes <n>', 'processes, one per core', integerAtLeast(1), availableParallelism())
    .option('--problems <module>', "the JavaScript module of a run's --problems")
    .option(
      '--lock-seconds <n>',
      'a job whose worker has been silent for so long goes to another',
      numberUpTo(86_400),
      30,
    )
    .option('--minutes <n>', 'end after so many minutes', positiveNumber)
    .option('--json', 'print one JSON document at the end')
    .addHelpText('after', HELP)
    .action((options: WorkerCommandOptions) => workerCommand(options, context));
}
