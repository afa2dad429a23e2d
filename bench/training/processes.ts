import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job, Message } from './worker';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));

/**
 * Runs a job in a process of its own, which gives all its memory back and may die of too little without taking others along.
 * @throws the signal's reason when aborted; Error when the process ends otherwise than by finishing its job
 */
export function runJob(job: Job, signal: AbortSignal, onMessage: (message: Message) => void): Promise<void> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, [...process.execArgv, WORKER, JSON.stringify(job)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  child.on('message', (message) => onMessage(message as Message));
  return new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (code === 0) resolve();
      else if (killedBy === 'SIGKILL') reject(new Error('the process was killed, most likely for want of memory'));
      else reject(new Error(`the process ended with ${killedBy ?? `code ${code}`}`));
    });
  }).finally(() => signal.removeEventListener('abort', stop));
}
