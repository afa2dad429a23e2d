import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseAddress } from '../../lib/cluster/address';
import { clusterStatus } from '../../lib/cluster/status';
import type { ClusterStatus } from '../../lib/cluster/status';
import { metaTrain } from '../../lib/meta/trainer';
import { start } from '../cli/run';
import { describeWithRedis, RedisServer } from './redisServer';
import { membersThere, runOnCluster, SHORT } from './setup';

/** 14 parts an iteration. */
const config = { ...SHORT, copies: 2 };

const password = 'not-to-be-seen';

describeWithRedis('a cluster', { timeout: 120_000 }, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start(['--requirepass', password], (port) => `redis://:${password}@127.0.0.1:${port}`);
  });
  afterAll(() => server?.stop());

  it('of two workers gives the bits of the trainer on threads, and shows no password', async () => {
    const workers = [1, 2].map(() =>
      start('lib/cli/main.ts', ['worker', '--processes', '1', '--json'], { LEARNED_OPTIMIZER_CLUSTER: server.url }),
    );
    await membersThere(server.url, 'worker', 2);
    let status: ClusterStatus | undefined;
    const { average, counts, dropped } = await runOnCluster(server.url, config, {
      onIteration: async (iteration) => {
        if (iteration === 3) status = await clusterStatus(parseAddress(server.url, 'test'));
      },
    });
    expect(status!.members.map(({ role }) => role).sort()).toEqual(['coordinator', 'worker', 'worker']);
    expect(status!.queues).toMatchObject([{ waiting: 0, active: 0, delayed: 0, failed: 0 }]);
    const { stdout } = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    expect(stdout).toContain('worker --processes 1');
    expect(stdout).not.toContain(password);
    for (const { child } of workers) child.kill('SIGTERM');
    const outcomes = await Promise.all(workers.map(({ finished }) => finished));

    expect(average).toEqual(await metaTrain({ config, threads: 1 }));
    expect(counts).toMatchObject({ jobs: 56, results: 56, refused: 0, repaired: 0, dropped: 0 });
    expect(dropped).toEqual([]);
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0]);
    const parts = outcomes.map(({ stdout: json }) => (JSON.parse(json) as { parts: number }).parts);
    expect(parts[0] + parts[1]).toBe(56);
    for (const outcome of outcomes) expect(outcome.stdout + outcome.stderr).not.toContain(password);
  });
});
