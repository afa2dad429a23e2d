import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { metaTrain } from '../../../lib/meta/trainer';
import { describeWithRedis, RedisServer } from '../redisServer';
import { evolution, runOnCluster, startWorker, stopWorkers } from '../setup';
import type { WorkerChild } from '../setup';
import { Proxy } from './proxy';

const config = evolution(5);
/** How long the connection is cut: a minute takes CLUSTER_CUT_SECONDS=60. */
const CUT_SECONDS = Number(process.env['CLUSTER_CUT_SECONDS'] ?? '8');

describeWithRedis('faults of Redis and the network', { timeout: 300_000 }, () => {
  let server: RedisServer | undefined;
  let undisturbed: Float64Array;
  let workers: WorkerChild[] = [];
  beforeAll(async () => {
    undisturbed = await metaTrain({ config, threads: 1 });
  });
  afterEach(async () => {
    await stopWorkers(workers);
    await server?.stop();
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('restarted after %s, its persistence on: the same bits', async (signal) => {
    const own = (server = await RedisServer.start());
    workers = [startWorker(own.url, { delay: 100 }), startWorker(own.url, { delay: 100 })];
    let restarted: Promise<void> | undefined;
    const { average, counts, said } = await runOnCluster(own.url, config, {
      // While the jobs of the next iteration are under way.
      onIteration: (iteration) => {
        if (iteration !== 2) return;
        restarted = sleep(150)
          .then(() => own.down(signal))
          .then(() => sleep(1000))
          .then(() => own.up());
      },
    });
    await restarted;
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0 });
    expect(said.join('\n')).toMatch(/connection to redis:\/\/127\.0\.0\.1:\d+ lost.*\n.*is back/);
  });

  it('loses everything that it holds, between and in iterations: the same bits', async () => {
    const own = (server = await RedisServer.start());
    workers = [startWorker(own.url, { delay: 100 }), startWorker(own.url, { delay: 100 })];
    const redis = new Redis(own.url);
    const { average, counts } = await runOnCluster(own.url, config, {
      onIteration: async (iteration) => {
        if (iteration === 1) await redis.flushall();
        if (iteration === 3) void sleep(300).then(() => redis.flushall());
      },
    });
    redis.disconnect();
    expect(average).toEqual(undisturbed);
    expect(counts.dropped).toBe(0);
    expect(counts.repaired).toBeGreaterThan(0);
    expect(counts.results).toBe(35);
  });

  it('holds payloads that somebody has changed or cut short: they are refused and counted, the same bits', async () => {
    const own = (server = await RedisServer.start());
    const redis = new Redis(own.url);
    const { average, counts } = await runOnCluster(own.url, config, {
      // All states are fetched, and in Redis until the next one is there.
      fetchSeconds: 0,
      onIteration: async (iteration) => {
        if (iteration !== 2) return;
        await stopWorkers(workers);
        const keys = await redis.keys('learned-optimizer:blob:*');
        expect(keys.length).toBe(7);
        // Those of another length the coordinator sees when it has them fetched by another worker, the others that worker.
        await redis.set(keys[0], 'process.exit()');
        await redis.append(keys[1], 'more');
        for (const key of [keys[2], keys[3]]) await redis.setrange(key, 2000, 'changed');
        workers = [startWorker(own.url)];
      },
      ...((workers = [startWorker(own.url)]), {}),
    });
    redis.disconnect();
    expect(average).toEqual(undisturbed);
    expect(counts.repaired).toBeGreaterThanOrEqual(2);
    expect(counts).toMatchObject({ results: 35, recomputed: 0, dropped: 0 });
    const refused = workers[0]
      .lines()
      .filter((line) => line.startsWith('refused: payload: expected bytes with SHA-256'));
    expect(refused).toHaveLength(2);
  });

  it.each<[string, number, (proxy: Proxy) => void, number?]>([
    [`cut off for ${CUT_SECONDS} s`, CUT_SECONDS, (proxy) => proxy.sever()],
    ['behind a network that swallows packets for 15 s without a word', 15, (proxy) => proxy.swallow(), 12],
  ])('%s in mid-job, worker and coordinator alike: the same bits', async (_, seconds, disturb, silenceSeconds) => {
    const own = (server = await RedisServer.start());
    const proxy = await Proxy.open(own.port);
    const url = `redis://127.0.0.1:${proxy.port}`;
    workers = [1, 2].map(() => startWorker(url, { delay: 100, silenceSeconds }));
    const { average, counts, said } = await runOnCluster(url, config, {
      silenceSeconds,
      onIteration: (iteration) => {
        if (iteration !== 2) return;
        void sleep(150)
          .then(() => disturb(proxy))
          .then(() => sleep(1000 * seconds))
          .then(() => proxy.mend());
      },
    });
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0 });
    expect(said.join('\n')).toMatch(/lost.*\n.*is back/);
    // Jobs whose lock expired are taken back; nobody is given up for them.
    expect(said.join('\n')).not.toMatch(/takes no jobs/);
    await stopWorkers(workers);
    proxy.close();
  });
});
