import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Pinning } from '../processes';
import type { Sample } from './measure';

/** User and system time of a process so far, seconds; of Linux. */
function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    // In units of 1/100 s (USER_HZ): utime and stime.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return NaN;
  }
}

export interface JaxOptions {
  readonly python: string;
  /** The JAX implementation's speed test: `speed.py pes|bptt SECONDS`. */
  readonly script: string;
  /** Where compiled code is kept from run to run. */
  readonly cache: string;
  readonly pinning: Pinning;
}

/**
 * Runs the JAX implementation in a process of its own; it measures for `seconds` after compiling.
 * @throws Error when it fails
 */
export async function runJax(options: JaxOptions, subject: 'pes' | 'bptt', seconds: number): Promise<Sample> {
  const { python, script, cache, pinning } = options;
  const [command, ...args] = [...pinning.prefix, python, basename(script), subject, String(seconds)];
  const child = spawn(command, args, {
    cwd: dirname(script),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PYTHONDONTWRITEBYTECODE: '1',
      JAX_PLATFORMS: 'cpu',
      JAX_COMPILATION_CACHE_DIR: cache,
      JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS: '0',
      JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES: '0',
    },
  });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  // It measures last, so the processor time of the last `seconds` is that of the measured part.
  const history: { readonly at: number; readonly cpu: number }[] = [];
  const timer = setInterval(() => {
    const cpu = cpuSecondsOf(child.pid!);
    if (!Number.isNaN(cpu)) history.push({ at: performance.now(), cpu });
  }, 100);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).finally(() => clearInterval(timer));
  const rate = Number(/(\d+) instance-steps per second/.exec(output)?.[1]);
  if (code !== 0 || Number.isNaN(rate)) throw new Error(`${script} ended with ${code}: ${errors.slice(-500)}`);
  const end = history.at(-1)!;
  const begin = history.findLast(({ at }) => at <= end.at - 1000 * seconds) ?? history[0];
  const share = (1000 * seconds) / (end.at - begin.at);
  return { steps: rate * seconds, seconds, cpuSeconds: (end.cpu - begin.cpu) * share };
}
