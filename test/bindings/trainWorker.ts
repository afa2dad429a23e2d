// A worker thread that trains: a given number of steps whose result it posts, or without end, until it is terminated.
import { parentPort, workerData } from 'node:worker_threads';
import { makeFixture } from './setup';

export interface TrainJob {
  readonly lengths: readonly number[];
  /** Infinity: without end. */
  readonly steps: number;
  readonly asynchronous: boolean;
}

const { lengths, steps, asynchronous } = workerData as TrainJob;
const fixture = makeFixture(lengths);
// Made beforehand, so that nearly all of the time goes into steps.
const requests = Array.from({ length: 10 }, (_, i) => fixture.request(i));
parentPort!.postMessage('started');
for (let i = 1; i <= steps; ++i) {
  const request = requests[i % 10];
  if (asynchronous) await fixture.native.stepAsync(request);
  else fixture.native.step(request);
}
parentPort!.postMessage(fixture.snapshot());
