/** A measured thread: makes runners on request, keeps them by number, and iterates one on request. */
import { parentPort } from 'node:worker_threads';
import { createRunner } from './jobs';
import type { Job, Runner } from './jobs';

export type ThreadRequest = { readonly number: number; readonly job?: Job };

const runners = new Map<number, Runner>();
parentPort!.on('message', ({ number, job }: ThreadRequest) => {
  if (job !== undefined) runners.set(number, createRunner(job));
  parentPort!.postMessage(runners.get(number)!.iterate());
});
