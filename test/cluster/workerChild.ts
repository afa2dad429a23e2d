/** A worker that behaves as a test wants it to. Says on standard output what it does, a line each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../lib/cluster/address';
import { Computer } from '../../lib/cluster/computer';
import { localEngine } from '../../lib/cluster/engine';
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

const worker = await ClusterWorker.start({
  address: parseAddress(process.env['CLUSTER_URL']!, 'test'),
  lockSeconds,
  silenceSeconds,
  engine: version === undefined ? undefined : { ...localEngine(), version },
  say,
  compute: {
    has: (job) => computer.has(job),
    compute: async (request) => {
      say(`computing ${request.job.family}`);
      await sleep(delay);
      if (request.job.family === failingFamily) throw new Error('this family cannot be computed here');
      const done = await computer.compute(request);
      say(`computed ${request.job.family}`);
      return done;
    },
    close: () => computer.close(),
  },
});
say('ready');
process.on('SIGTERM', () => {
  void worker.close().then(() => process.exit(0));
});
