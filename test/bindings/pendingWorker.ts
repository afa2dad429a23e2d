// A worker thread that ends, in the way that `workerData` names, while an asynchronous step is pending.
import { parentPort, workerData } from 'node:worker_threads';
import { makeFixture } from './setup';

const fixture = makeFixture([400_000]);
void fixture.native.stepAsync(fixture.request());
parentPort!.postMessage('pending');
if (workerData === 'exit') process.exit(4);
if (workerData === 'throw') throw new Error('mine');
// Alive until terminated, whichever of the step and the termination comes first.
setInterval(() => undefined, 1000);
