/** A run in a process of its own, to be killed: runChild.ts FOLDER new|resume. */
import { setTimeout as sleep } from 'node:timers/promises';
import { runMetaTraining } from '../../lib/meta/run';
import { RUN } from './runSetup';

const [folder, mode] = process.argv.slice(2);
await runMetaTraining({
  ...RUN,
  folder,
  resume: mode === 'resume',
  // Slow enough to be killed between any two iterations.
  validate: async () => (await sleep(1000), { score: 0, rows: null }),
});
