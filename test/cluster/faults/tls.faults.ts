import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runMetaTraining } from '../../../lib/meta/run';
import { cli, start } from '../../cli/run';
import { describeWithRedis, RedisServer } from '../redisServer';
import { SHORT } from '../setup';

const password = 'never to be seen';

describeWithRedis('a cluster with TLS and a password', { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cluster-tls-'));
  const [key, certificate] = ['key.pem', 'certificate.pem'].map((name) => join(folder, name));
  let server: RedisServer;
  beforeAll(async () => {
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
    const made = spawnSync('openssl', [
      ...[...args, '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate],
    ]);
    expect(made.status).toBe(0);
    server = await RedisServer.start(
      [
        ...['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate],
        ...['--tls-auth-clients', 'no', '--requirepass', password],
      ],
      (port) => `rediss://:${encodeURIComponent(password)}@localhost:${port}`,
      'tls-port',
    );
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  it('gives the same bits; without the certificate, or with a wrong password, it says what is wrong', async () => {
    const environment = { LEARNED_OPTIMIZER_CLUSTER: server.url, NODE_EXTRA_CA_CERTS: certificate };
    const config = join(folder, 'config.json');
    writeFileSync(config, JSON.stringify(SHORT));
    const worker = start('lib/cli/main.ts', ['worker', '--processes', '2', '--json'], environment);
    const run = await cli(
      ['meta-train', '--cluster', '--config', config, '--no-validation', '--out', join(folder, 'run'), '--json'],
      environment,
    );
    worker.child.kill('SIGINT');
    const ended = await worker.finished;
    expect([run.code, ended.code]).toEqual([0, 0]);
    expect((JSON.parse(ended.stdout) as { parts: number }).parts).toBe(28);
    await runMetaTraining({
      ...{ folder: join(folder, 'alone'), config: SHORT, resume: false, threads: 1 },
      ...{ logEvery: 50, snapshotEvery: 500, checkpointSeconds: 1e6 },
    });
    const bytes = (name: string): Buffer => readFileSync(join(folder, name, 'final.safetensors'));
    expect(bytes('run').equals(bytes('alone'))).toBe(true);

    const stranger = await cli(['worker', '--processes', '1'], { LEARNED_OPTIMIZER_CLUSTER: server.url });
    expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringMatching(/connecting failed: .*self-signed/)]);
    const wrong = server.url.replace(/:[^:@]*@/, ':wrong-password@');
    const guesser = await cli(['worker', '--processes', '1'], { ...environment, LEARNED_OPTIMIZER_CLUSTER: wrong });
    expect([guesser.code, guesser.stderr]).toEqual([1, expect.stringMatching(/connecting failed: .*WRONGPASS/)]);
    for (const { stdout, stderr } of [run, ended, stranger, guesser]) {
      expect(stdout + stderr).not.toMatch(/never to be seen|never%20to|wrong-password/);
    }
  });
});
