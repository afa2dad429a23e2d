/** A worker that behaves as a test wants it to. Says on standard output what it does, a line each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../lib/cluster/address';
import { Computer } from '../../lib/cluster/computer';
import type { Task, TaskOutcome } from '../../lib/cluster/computeThread';
import { localEngine } from '../../lib/cluster/engine';
import type { PartPhase } from '../../lib/cluster/partJob';
import { blobOf, decodeParts, encodeParts } from '../../lib/cluster/payloads';
import type { DonePart } from '../../lib/cluster/payloads';
import { ClusterWorker } from '../../lib/cluster/worker';
import type { ChildBehaviour } from './setup';

const {
  delay = 0,
  failingFamily,
  version,
  lockSeconds = 2,
  silenceSeconds,
} = JSON.parse(process.env['CLUSTER_BEHAVIOUR']!) as ChildBehaviour;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const computer = new Computer(undefined);

async function one(task: Task, parts: DonePart[], forget: readonly PartPhase[]): Promise<TaskOutcome> {
  const { family } = task.job;
  say(`computing ${family}`);
  await sleep(delay);
  if (family === failingFamily) return { failed: 'this family cannot be computed here' };
  const { outcomes, parts: done } = await computer.run({ tasks: [task], forget });
  say(`computed ${family}`);
  if (done) {
    const [result] = decodeParts(done.bytes, [task.id], task.metaParameters.length);
    parts.push({ job: task.id, result });
  }
  return outcomes[0];
}

const worker = await ClusterWorker.start({
  address: parseAddress(process.env['CLUSTER_URL']!, 'test'),
  lockSeconds,
  silenceSeconds,
  engine: version === undefined ? undefined : { ...localEngine(), version },
  say,
  compute: {
    run: async ({ tasks, forget }) => {
      const parts: DonePart[] = [];
      const outcomes: TaskOutcome[] = [];
      for (const task of tasks) outcomes.push(await one(task, parts, forget));
      return { outcomes, parts: parts.length > 0 ? blobOf(encodeParts(parts)) : undefined };
    },
    close: () => computer.close(),
  },
});
say('ready');
// It ends by itself when nothing is left open.
process.on('SIGTERM', () => void worker.close());
