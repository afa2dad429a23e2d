import type { Command } from 'commander';
import type { ClusterStatus } from '../../cluster/status';
import { addClusterOptions, addressOf } from '../cluster';
import type { ClusterCommandOptions } from '../cluster';
import type { Context } from '../context';
import { printJson, printLine, tableText } from '../output';

const HELP = `
Coordinators and workers that have shown themselves in the last twenty seconds, and the jobs of their queues. A queue is of one version and
instruction set, and where a run has --problems, of that file: workers and coordinators that belong together have the same.

Examples:
  $ learned-optimizer cluster-status --cluster redis://queue.example:6379
  $ LEARNED_OPTIMIZER_CLUSTER=redis://:PASSWORD@queue.example:6379 learned-optimizer cluster-status --json
`;

/** Who takes part, and the jobs of the queues. */
function printTables({ members, queues }: ClusterStatus, streams: Context['streams']): void {
  const left = (title: string): { title: string; align: 'left' } => ({ title, align: 'left' });
  const right = (title: string): { title: string; align: 'right' } => ({ title, align: 'right' });
  printLine(
    streams,
    tableText({
      columns: [left('role'), left('host'), right('process'), left('queue'), left('so far')],
      rows: members.map(({ role, leaving, host, process, queue, counts }) => [
        ...[leaving ? `${role}, leaving` : role, host, String(process), queue],
        Object.entries(counts)
          .map(([name, value]) => `${name} ${Number(value.toFixed(1)).toLocaleString('en')}`)
          .join(', '),
      ]),
    }),
  );
  printLine(
    streams,
    tableText({
      columns: [
        left('queue'),
        right('waiting'),
        right('active'),
        right('delayed'),
        right('failed'),
        left('last failure'),
      ],
      rows: queues.map(({ queue, waiting, active, delayed, failed, lastFailure = '' }) => [
        ...[queue, String(waiting), String(active), String(delayed), String(failed), lastFailure.slice(0, 80)],
      ]),
    }),
  );
}

async function clusterStatusCommand(options: ClusterCommandOptions & { json?: boolean }, { streams }: Context) {
  const address = addressOf(options);
  // Loaded only here, with BullMQ.
  const { clusterStatus } = await import('../../cluster/status');
  const status = await clusterStatus(address, options.clusterName);
  if (options.json) return printJson(streams, status);
  const { members, memoryBytes, memoryLimitBytes } = status;
  if (members.length === 0) {
    printLine(
      streams,
      'nobody takes part: start "learned-optimizer meta-train --cluster" and "learned-optimizer worker"',
    );
  } else printTables(status, streams);
  const limit = memoryLimitBytes === 0 ? 'no limit' : `a limit of ${(memoryLimitBytes / 1e6).toFixed(0)} MB`;
  printLine(streams, `Redis uses ${(memoryBytes / 1e6).toFixed(1)} MB of memory, with ${limit}`);
}

export function addClusterStatusCommand(program: Command, context: Context): void {
  addClusterOptions(program.command('cluster-status'))
    .summary('coordinators, workers and jobs of a cluster')
    .description(
      'Shows what a cluster is doing now: who takes part, what they have done, which jobs wait or have failed.',
    )
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((options: ClusterCommandOptions & { json?: boolean }) => clusterStatusCommand(options, context));
}
