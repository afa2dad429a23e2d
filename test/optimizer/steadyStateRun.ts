// Steps a model of many small tensors for long: `steadyStateRun.ts TENSORS STEPS`, with --expose-gc. Prints, as JSON, the
// bytes of JavaScript garbage that a step makes, and how much the heap and the resident memory of the process grew in each
// fifth of the steps.
import { setTimeout as pause } from 'node:timers/promises';
import { createOptimizer } from '../../lib/index';
import { createRandom } from '../../lib/random';

const [tensors, steps] = process.argv.slice(2).map(Number);
const LENGTH = 64;
/** Steps after which code is compiled and every buffer has its size. */
const WARM_UP = 2000;
/** Few enough for the young generation to hold what they leave behind, so that no collection hides it. */
const COUNTED = 40;
/** Rounds of these, of which the least counts: now and then the compiler allocates in between. */
const ROUNDS = 9;
const collect = (globalThis as unknown as { gc: () => void }).gc;
const random = createRandom(1);
const draw = (scale: number): Float32Array[] =>
  Array.from({ length: tensors }, () => Float32Array.from({ length: LENGTH }, () => scale * random.normal()));

const optimizer = createOptimizer(draw(0.1));
const gradients = draw(0.01);
const run = (count: number): void => {
  for (let i = 0; i < count; i++) optimizer.step(gradients);
};

run(WARM_UP);
const garbage = Array.from({ length: ROUNDS }, () => {
  collect();
  const before = process.memoryUsage().heapUsed;
  run(COUNTED);
  return (process.memoryUsage().heapUsed - before) / COUNTED;
});
const garbagePerStep = Math.min(...garbage);
/** Memory once V8 has given back what it holds in reserve. */
async function settled(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 6; i++) {
    collect();
    await pause(50);
  }
  return process.memoryUsage();
}
const heapGrowth: number[] = [];
const residentGrowth: number[] = [];
let before = await settled();
for (let fifth = 0; fifth < 5; fifth++) {
  run(steps / 5);
  const after = await settled();
  heapGrowth.push(after.heapUsed - before.heapUsed);
  residentGrowth.push(after.rss - before.rss);
  before = after;
}
process.stdout.write(JSON.stringify({ garbagePerStep, heapGrowth, residentGrowth }));
