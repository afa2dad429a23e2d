import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Message } from './child';
import type { RunRecord } from './records';
import type { Job, StepReport } from './train';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

/**
 * Makes a run in a process of its own, which gives all its memory back. NaN survives the way.
 * @throws the signal's reason when aborted; {Error} when the process ends without a record
 */
export function runInProcess(job: Job, signal: AbortSignal, onStep: (report: StepReport) => void): Promise<RunRecord> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, JSON.stringify(job)], {
    // What TensorFlow prints is no result: with --json the output is one document.
    stdio: ['ignore', 2, 2, 'ipc'],
    serialization: 'advanced',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  let record: RunRecord | undefined;
  child.on('message', (message: Message) => {
    if (message.kind === 'step') onStep(message.report);
    else record = message.record;
  });
  return new Promise<RunRecord>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (code === 0 && record !== undefined) resolve(record);
      else reject(new Error(`the process of the run ended with ${killedBy ?? `code ${code}`}`));
    });
  }).finally(() => signal.removeEventListener('abort', stop));
}
