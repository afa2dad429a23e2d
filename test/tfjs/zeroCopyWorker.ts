// A worker thread that trains with gradients read in TensorFlow's memory, and posts a hash of the parameters.
import { parentPort, workerData } from 'node:worker_threads';
import { train } from './zeroCopyTraining';

parentPort!.postMessage(await train(true, workerData as number));
