import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parseAddress } from '../../../lib/cluster/address';
import { Coordinator } from '../../../lib/cluster/coordinator';
import { homeQueueOf, localEngine, queueNameOf } from '../../../lib/cluster/engine';
import { ClusterWorker } from '../../../lib/cluster/worker';
import { metaTrain } from '../../../lib/meta/trainer';
import { describeWithRedis, RedisServer } from '../redisServer';
import { evolution, runOnCluster, startWorker, stopWorkers } from '../setup';
import type { WorkerChild } from '../setup';

const config = evolution(5);
const queue = queueNameOf(localEngine());

describeWithRedis('whoever else can write to Redis', { timeout: 300_000 }, () => {
  let server: RedisServer;
  let redis: Redis;
  let undisturbed: Float64Array;
  let workers: WorkerChild[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
    redis = new Redis(server.url);
    undisturbed = await metaTrain({ config, threads: 1 });
  });
  afterEach(async () => {
    await stopWorkers(workers);
    workers = [];
    await redis.flushall();
  });
  afterAll(async () => {
    redis?.disconnect();
    await server?.stop();
  });

  /** The one worker that is there. */
  async function workerId(): Promise<string> {
    for (;;) {
      const [key] = await redis.keys('learned-optimizer:member:*');
      if (key) return key.split(':').at(-1)!;
      await sleep(20);
    }
  }

  it('says that a worker is there which takes no jobs: others get them, and the bits are the same', async () => {
    const id = '0123456789ab';
    const member = { role: 'worker', id, host: hostname(), process: 1, queue, ...localEngine(), counts: {} };
    await redis.set(`learned-optimizer:member:${id}`, JSON.stringify(member));
    workers = [startWorker(server.url)];
    const { average, counts, said } = await runOnCluster(server.url, config, { pollSeconds: 0.25 });
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0, refused: 0 });
    expect(said.filter((text) => text.includes(`worker ${id} says that it is there, but takes no jobs`))).toHaveLength(
      1,
    );
  });

  it("has left a worker's queue paused, killed while deleting it: the worker gets its jobs", async () => {
    workers = [startWorker(server.url)];
    const own = new Queue(homeQueueOf(queue, await workerId()), { connection: redis, prefix: 'learned-optimizer' });
    await own.pause();
    const { average, counts, said } = await runOnCluster(server.url, config);
    await own.close();
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0, repaired: 0 });
    expect(said).toEqual([]);
  });

  it('writes into jobs and events what nobody can read: refused and counted, the same bits', async () => {
    const run = runOnCluster(server.url, config);
    let keys: string[] = [];
    while (keys.length < 7) {
      await sleep(20);
      keys = (await redis.keys(`learned-optimizer:${queue}:*`)).filter((key) => /:[0-9a-f]{40}$/.test(key));
    }
    for (const key of keys) {
      await redis.hset(key, 'data', '{"orders": [');
      const [events, id] = [`${key.slice(0, -41)}:events`, key.slice(-40)];
      await redis.xadd(events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', 'process.exit()');
    }
    workers = [startWorker(server.url)];
    const { average, counts, said } = await run;
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0 });
    expect(counts.refused).toBe(7);
    expect(said.join('\n')).toMatch(/JSON/);
  });

  it('fills its memory for a while: the run says so, waits, and gives the same bits', async () => {
    workers = [startWorker(server.url, { delay: 50 })];
    let relieved: Promise<unknown> | undefined;
    const { average, counts, said } = await runOnCluster(server.url, config, {
      onIteration: async (iteration) => {
        if (iteration !== 2) return;
        await redis.config('SET', 'maxmemory', '1');
        relieved = sleep(8000).then(() => redis.config('SET', 'maxmemory', '0'));
      },
    });
    await relieved;
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0 });
    expect(said.join('\n')).toMatch(/OOM/);
  });

  it('has ended it: coordinator and worker can be closed', async () => {
    const own = await RedisServer.start();
    const address = parseAddress(own.url, 'test');
    const coordinator = await Coordinator.open({ address, pollSeconds: 0.2 });
    const worker = await ClusterWorker.start({ address, lockSeconds: 2 });
    while (coordinator.workers === 0) await sleep(20);
    await own.stop();
    await Promise.all([coordinator.close(), worker.close()]);
    expect(coordinator.workers).toBe(1);
  });
});
