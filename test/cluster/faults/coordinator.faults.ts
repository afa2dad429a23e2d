import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runMetaTraining } from '../../../lib/meta/run';
import { cli, start } from '../../cli/run';
import { describeWithRedis, RedisServer } from '../redisServer';
import { SHORT, startWorker, stopWorkers } from '../setup';
import type { WorkerChild } from '../setup';

const config = { ...SHORT, phases: SHORT.phases.map((phase) => ({ ...phase, iterations: 4 })) };

describeWithRedis('faults of the coordinator', { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cluster-coordinator-'));
  const out = join(folder, 'run');
  const file = join(folder, 'config.json');
  let server: RedisServer;
  let workers: WorkerChild[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
    writeFileSync(file, JSON.stringify(config));
  });
  afterAll(async () => {
    await stopWorkers(workers);
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  const lines = (): number => {
    const log = join(out, 'log.jsonl');
    return existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0;
  };
  const common = ['meta-train', '--out', out, '--checkpoint-seconds', '0.001'];

  it('killed with SIGKILL, stopped with SIGTERM and resumed it ends with the bits of a run without a cluster', async () => {
    workers = [startWorker(server.url, { delay: 100 }), startWorker(server.url, { delay: 100 })];
    const first = start('lib/cli/main.ts', [
      ...[...common, '--cluster', server.url, '--config', file, '--no-validation', '--log-every', '1'],
      ...['--snapshot-every', '100'],
    ]);
    while (lines() < 2) await sleep(5);
    // In the middle of an iteration.
    await sleep(150);
    first.child.kill('SIGKILL');
    expect((await first.finished).signal).toBe('SIGKILL');

    const second = start('lib/cli/main.ts', [...common, '--cluster', '--resume'], {
      LEARNED_OPTIMIZER_CLUSTER: server.url,
    });
    while (lines() < 5) await sleep(5);
    second.child.kill('SIGTERM');
    const stopped = await second.finished;
    expect([stopped.code, stopped.stderr]).toEqual([130, expect.stringContaining('go on with --resume')]);

    const third = await cli([...common, '--cluster', server.url, '--resume', '--json']);
    expect(third.code).toBe(0);
    expect(JSON.parse(third.stdout)).toMatchObject({ iterations: 8, cluster: { dropped: 0, refused: 0 } });

    const alone = join(folder, 'alone');
    await runMetaTraining({
      ...{ folder: alone, config, resume: false, threads: 1, logEvery: 1, snapshotEvery: 100, checkpointSeconds: 1e6 },
    });
    const bytes = (run: string): Buffer => readFileSync(join(run, 'final.safetensors'));
    expect(bytes(out).equals(bytes(alone))).toBe(true);
  });
});
