import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Message } from './results';
import type { Job } from './worker';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));

/** CPUs that this process may run on, by number; null where the system does not tell. */
function allowedCpus(): number[] | null {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1];
    return list.split(',').flatMap((part) => {
      const [first, last = first] = part.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
  } catch {
    return null;
  }
}

/** How a process is held to a number of cores. */
export interface Pinning {
  /** Command to put before the process's own, possibly empty. */
  readonly prefix: readonly string[];
  /** For a reader. */
  readonly description: string;
}

/** @returns null when there are not so many cores */
export function pinTo(threads: number): Pinning | null {
  if (availableParallelism() < threads) return null;
  const cpus = allowedCpus();
  const hasTaskset = cpus !== null && spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!hasTaskset) return { prefix: [], description: 'thread counts of the libraries set, not held to cores' };
  const chosen = cpus.slice(0, threads).join(',');
  return { prefix: ['taskset', '-c', chosen], description: `held to ${threads === 1 ? 'CPU' : 'CPUs'} ${chosen}` };
}

/** What a job measures, for a reader. */
export const nameOf = (job: Job): string => (job.kind === 'scaling' ? 'scaling' : job.backend);

/**
 * Runs a job in a process of its own: TensorFlow fixes its number of threads when it starts, and one backend's memory does
 * not disturb another's.
 * @throws Error when the process ends otherwise than by finishing its job
 */
export function runJob(job: Job, pinning: Pinning, onMessage: (message: Message) => void): Promise<void> {
  const threads = String(job.threads);
  const [command, ...args] = [...pinning.prefix, process.execPath, ...process.execArgv, WORKER, JSON.stringify(job)];
  const child = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {
      ...process.env,
      TF_NUM_INTRAOP_THREADS: threads,
      TF_NUM_INTEROP_THREADS: threads,
      OMP_NUM_THREADS: threads,
      TF_CPP_MIN_LOG_LEVEL: '2',
    },
  });
  child.on('message', (message) => onMessage(message as Message));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`the process for ${nameOf(job)} with ${job.threads} threads ended with ${signal ?? code}`));
    });
  });
}
