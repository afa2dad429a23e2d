// Terminates workers in the middle of their steps while this thread trains: `workersRun.ts sync|async ROUNDS`. A process
// of its own, so that a crash is seen by its signal. Prints whether this thread's result is right.
import { setTimeout as sleep } from 'node:timers/promises';
import { bitsOf, makeFixture, startWorker } from './setup';
import type { TrainJob } from './trainWorker';

const [mode, rounds] = [process.argv[2], Number(process.argv[3])];
const AT_ONCE = 8;
const LENGTHS = [30_000, 7];

async function terminateMidStep(delay: number): Promise<number> {
  const job: TrainJob = { lengths: LENGTHS, steps: Infinity, asynchronous: mode === 'async' };
  const worker = startWorker('./trainWorker.ts', job);
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await sleep(delay);
  return worker.terminate();
}

const fixture = makeFixture(LENGTHS);
let steps = 0;
let codes: number[] = [];
for (let round = 0; round < rounds; ++round) {
  let running = true;
  const workers = Array.from({ length: AT_ONCE }, (_, i) => terminateMidStep(3 * i + round));
  const all = Promise.all(workers).finally(() => (running = false));
  while (running) {
    await fixture.native.stepAsync(fixture.request(++steps % 10));
    fixture.native.step(fixture.request(++steps % 10));
    await sleep(1);
  }
  codes = codes.concat(await all);
}

const alone = makeFixture(LENGTHS);
for (let i = 1; i <= steps; ++i) alone.native.step(alone.request(i % 10));
const equal = bitsOf(fixture.snapshot()) === bitsOf(alone.snapshot());
process.stdout.write(JSON.stringify({ equal, terminated: codes.filter((code) => code === 1).length }));
