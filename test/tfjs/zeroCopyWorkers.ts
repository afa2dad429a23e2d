// Workers that train one after the other, then two and this thread at once; a process of its own, so that a crash is seen.
// Prints their results.
import { once } from 'node:events';
import { startWorker } from '../bindings/setup';
import { train } from './zeroCopyTraining';

const STEPS = Number(process.argv[2]);

async function inWorker(): Promise<unknown> {
  const worker = startWorker('../tfjs/zeroCopyWorker.ts', STEPS);
  const ended = once(worker, 'exit');
  const [[result]] = await Promise.all([once(worker, 'message'), ended]);
  return result;
}

// The first loads TensorFlow and the addon into the process, and ends before the second begins.
const results = [await inWorker(), await inWorker()];
results.push(...(await Promise.all([inWorker(), inWorker(), train(true, STEPS)])));
process.stdout.write(JSON.stringify(results));
