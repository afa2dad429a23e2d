import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from 'vitest';

/** The server's program, Redis or Valkey, if there is one. */
const program = ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0);

const wanted = process.env['REQUIRE_REDIS'] === '1';
if (wanted && program === undefined) {
  throw new Error('REQUIRE_REDIS=1: expected redis-server or valkey-server on the path, found neither');
}

/** Tests that need a server. Without one they are skipped, and their name says what to install. */
export function describeWithRedis(name: string, options: { readonly timeout: number }, body: () => void): void {
  if (program !== undefined) describe(name, options, body);
  else {
    describe.skip(`${name} (skipped: no redis-server on the path; install it, REQUIRE_REDIS=1 insists)`, options, body);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A server of the test's own, on the loopback interface, with persistence on. */
export class RedisServer {
  private child!: ChildProcess;
  private readonly folder = mkdtempSync(join(tmpdir(), 'cluster-redis-'));

  private constructor(
    readonly port: number,
    private readonly more: readonly string[],
    readonly url: string,
    private readonly portName: 'port' | 'tls-port',
  ) {}

  /** @param more arguments beside those that every test's server has */
  static async start(
    more: readonly string[] = [],
    url = (port: number): string => `redis://127.0.0.1:${port}`,
    portName: 'port' | 'tls-port' = 'port',
  ): Promise<RedisServer> {
    const port = await freePort();
    const server = new RedisServer(port, more, url(port), portName);
    await server.up();
    return server;
  }

  /** Starts the process, again after `down`. */
  async up(): Promise<void> {
    const ports = this.portName === 'port' ? [] : ['--port', '0'];
    const args = [
      ...[...ports, `--${this.portName}`, String(this.port), '--bind', '127.0.0.1'],
      ...['--dir', this.folder, '--save', ''],
    ];
    this.child = spawn(program!, [...args, '--appendonly', 'yes', ...this.more], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    this.child.stdout!.on('data', (data: Buffer) => (said += data.toString()));
    const ended = Date.now() + 20_000;
    while (!said.includes('Ready to accept connections')) {
      if (Date.now() > ended || this.child.exitCode !== null) throw new Error(`the server does not start: ${said}`);
      await sleep(20);
    }
  }

  async down(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.on('exit', resolve));
    this.child.kill(signal);
    await ended;
  }

  /** It takes connections and commands and answers nothing, until `wake`. */
  silence(): void {
    this.child.kill('SIGSTOP');
  }

  wake(): void {
    this.child.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.down('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
