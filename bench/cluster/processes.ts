import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis of the benchmark's own, with persistence as Debian's has it, on the loopback interface. */
export async function withRedis<T>(body: (url: string, processId: number) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-cluster-'));
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes'];
  const server = spawn('redis-server', args, { stdio: 'ignore' });
  const failed = new Promise<never>((_, reject) => server.on('error', reject));
  const redis = new Redis({ port, maxRetriesPerRequest: null, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  try {
    await Promise.race([redis.ping(), failed]);
    return await body(`redis://127.0.0.1:${port}`, server.pid!);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Error('redis-server: expected the program on the path, found none; install it', { cause: error });
    }
    throw error;
  } finally {
    redis.disconnect();
    server.kill('SIGKILL');
    await sleep(50);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Processor time of a process with all its threads so far, in seconds; NaN where the system does not say (not Linux). */
export function processorSeconds(processId: number): number {
  try {
    // After the name in parentheses: user time is the 12th field, system time the 13th, in ticks of 10 ms.
    const fields = readFileSync(`/proc/${processId}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return NaN;
  }
}

export interface Child {
  readonly process: ChildProcess;
  readonly stdout: Promise<string>;
}

/** A TypeScript file of the checkout as a process of its own. */
export function startChild(file: string, args: readonly string[], environment: NodeJS.ProcessEnv): Child {
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data: Buffer) => (text += data.toString()));
  return { process: child, stdout: new Promise((resolve) => child.on('close', () => resolve(text))) };
}

/** Ends a process in good order; what it has printed. */
export async function endChild(child: Child): Promise<string> {
  child.process.kill('SIGTERM');
  return child.stdout;
}
