import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parseAddress } from '../../../lib/cluster/address';
import { Coordinator } from '../../../lib/cluster/coordinator';
import { homeQueueOf, localEngine, queueNameOf } from '../../../lib/cluster/engine';
import { clusterStatus } from '../../../lib/cluster/status';
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

  /** Says that there is a worker of this id. */
  async function pretend(id: string): Promise<void> {
    const member = { role: 'worker', id, host: hostname(), process: 1, queue, ...localEngine(), counts: {} };
    await redis.set(`learned-optimizer:member:${id}`, JSON.stringify(member));
  }

  /** How many connections Redis has. */
  async function connected(): Promise<number> {
    return Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))![1]);
  }

  /** As many as there are when nobody comes or goes any more. */
  async function settled(): Promise<number> {
    for (;;) {
      const before = await connected();
      await sleep(500);
      if ((await connected()) === before) return before;
    }
  }

  /** Keys of the jobs that there are, in any queue. */
  async function jobKeys(): Promise<string[]> {
    return (await redis.keys(`learned-optimizer:${queue}*:*`)).filter((key) => /:[0-9a-f]{40}$/.test(key));
  }

  it('says that a worker is there which takes no jobs: others get them, and the bits are the same', async () => {
    const id = '0123456789ab';
    await pretend(id);
    workers = [startWorker(server.url)];
    const { average, counts, said } = await runOnCluster(server.url, config, { pollSeconds: 0.25 });
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0, refused: 0 });
    expect(said.filter((text) => text.includes(`worker ${id} says that it is there, but takes no jobs`))).toHaveLength(
      1,
    );
  });

  it('takes a job as a worker that is there, and leaves it: others get its jobs, and the bits are the same', async () => {
    const id = '0123456789ab';
    await pretend(id);
    const run = runOnCluster(server.url, config, { pollSeconds: 0.25 });
    const taker = new Worker(homeQueueOf(queue, id), undefined, {
      ...{ connection: redis.duplicate({ maxRetriesPerRequest: null }), prefix: 'learned-optimizer', autorun: false },
      lockDuration: 200,
    });
    while (!(await taker.getNextJob('token', { block: false }))) await sleep(20);
    workers = [startWorker(server.url)];
    const { average, counts, said } = await run;
    await taker.close();
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0, refused: 0 });
    expect(said.join('\n')).toContain(`worker ${id} says that it is there, but takes no jobs`);
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
      keys = await jobKeys();
    }
    for (const [k, key] of keys.entries()) {
      await redis.hset(key, k % 2 === 0 ? 'data' : 'opts', '{"orders": [');
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

  it('puts keys of another type in the place of jobs and payloads: refused or lost, made again, the same bits', async () => {
    const run = runOnCluster(server.url, config, { pollSeconds: 0.25 });
    let keys: string[] = [];
    while (keys.length < 7) {
      await sleep(20);
      keys = await jobKeys();
    }
    const payloads = await redis.keys('learned-optimizer:blob:*');
    expect(payloads).toHaveLength(1);
    for (const key of [...payloads, ...keys]) await redis.multi().del(key).rpush(key, 'not what you think').exec();
    workers = [startWorker(server.url)];
    const { average, counts } = await run;
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0 });
    expect(counts.repaired).toBeGreaterThanOrEqual(7);
  });

  it('has taken all connections but those that there are: jobs are looked at without events, the same bits', async () => {
    // Both workers have theirs: one, and one to wait with for each of two queues.
    const before = await settled();
    workers = [startWorker(server.url, { delay: 50 }), startWorker(server.url, { delay: 50 })];
    while ((await connected()) < before + 6) await sleep(20);
    const connections = await connected();
    // The coordinator gets its two and one for the events of the queue of all, and none for those of its workers' queues.
    await redis.config('SET', 'maxclients', `${connections + 3}`);
    const { average, counts, said } = await runOnCluster(server.url, config, { pollSeconds: 0.25 }).finally(() =>
      redis.config('SET', 'maxclients', '1000'),
    );
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0, refused: 0, repaired: 0 });
    expect(await redis.info('stats')).toMatch(/rejected_connections:[1-9]/);
    expect(said.join('\n')).toMatch(/no connection for the events of queue .*maxclients/);
  });

  it('has taken all connections but one: a coordinator that waits for more can be told to end', async () => {
    const connections = await connected();
    await redis.config('SET', 'maxclients', `${connections + 1}`);
    const stop = new AbortController();
    const opening = Coordinator.open({ address: parseAddress(server.url, 'test'), signal: stop.signal });
    setTimeout(() => stop.abort(new Error('that will do')), 2000);
    await expect(opening).rejects.toThrow('that will do');
    await redis.config('SET', 'maxclients', '1000');
    for (let k = 0; k < 100 && (await connected()) > connections; k++) await sleep(50);
    expect(await connected()).toBe(connections);
  });

  it('has taken all connections but one: a worker that takes no jobs for want of more can be told to end', async () => {
    const connections = await connected();
    await redis.config('SET', 'maxclients', `${connections + 1}`);
    const worker = await ClusterWorker.start({ address: parseAddress(server.url, 'test'), lockSeconds: 2 });
    await sleep(500);
    await worker.close();
    await redis.config('SET', 'maxclients', '1000');
    for (let k = 0; k < 100 && (await connected()) > connections; k++) await sleep(50);
    expect(await connected()).toBe(connections);
  });

  it('answers nothing in its place: coordinator, worker and status say that there is no Redis', async () => {
    const mute = createServer(() => undefined);
    await new Promise<void>((done) => mute.listen(0, '127.0.0.1', done));
    const address = parseAddress(`redis://127.0.0.1:${(mute.address() as AddressInfo).port}`, 'test');
    const tries = [
      Coordinator.open({ address }),
      ClusterWorker.start({ address, lockSeconds: 2 }),
      clusterStatus(address),
    ];
    for (const tried of await Promise.allSettled(tries)) {
      expect(tried).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringMatching(/expected a Redis or Valkey at .* connecting failed/) as string },
      });
    }
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('that will do')), 500);
    const begun = performance.now();
    for (const tried of await Promise.allSettled([
      Coordinator.open({ address, signal: stop.signal }),
      ClusterWorker.start({ address, lockSeconds: 2, signal: stop.signal }),
    ])) {
      expect(tried).toMatchObject({ status: 'rejected', reason: { message: 'that will do' } });
    }
    // They have not waited for the ten seconds that a first connection may take.
    expect(performance.now() - begun).toBeLessThan(8000);
    mute.close();
  });

  it('cuts all connections and takes the signs of life away: workers are believed until they can give new ones', async () => {
    workers = [startWorker(server.url, { delay: 20 }), startWorker(server.url, { delay: 20 })];
    const { average, counts } = await runOnCluster(server.url, config, {
      pollSeconds: 0.5,
      onIteration: async (iteration) => {
        if (iteration !== 2) return;
        const members = await redis.keys('learned-optimizer:member:*');
        // One after the other without anything between.
        await Promise.all([redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'), redis.del(members)]);
      },
    });
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0, refused: 0, recomputed: 0, repaired: 0 });
  });

  it('allows too few commands: a coordinator that cannot start says so and leaves no connection behind', async () => {
    await redis.acl('SETUSER', 'narrow', 'on', '>secret', '~*', '+@all', '-scan');
    const address = parseAddress(server.url.replace('//', '//narrow:secret@'), 'test');
    await expect(Coordinator.open({ address })).rejects.toThrow(/NOPERM.*scan/);
    const left = (): Promise<string> => redis.client('LIST') as Promise<string>;
    for (let k = 0; k < 50 && (await left()).includes('user=narrow'); k++) await sleep(20);
    expect(await left()).not.toContain('user=narrow');
    await expect(clusterStatus(address)).rejects.toThrow(/NOPERM.*scan/);
    // It works for whoever it gets jobs from, and cannot say whom it is of no use to.
    const said: string[] = [];
    const worker = await ClusterWorker.start({ address, lockSeconds: 2, say: (text) => said.push(text) });
    await worker.close();
    expect(said.join('\n')).toMatch(/NOPERM.*scan/);
    await redis.acl('DELUSER', 'narrow');
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

  it('fills its memory: a run that waits to put something there can be told to end', async () => {
    const stop = new AbortController();
    const address = parseAddress(server.url, 'test');
    const coordinator = await Coordinator.open({ address, pollSeconds: 0.25, signal: stop.signal });
    await redis.config('SET', 'maxmemory', '1');
    const run = metaTrain({ config, threads: 1, parts: coordinator.parts });
    await sleep(500);
    stop.abort(new Error('that will do'));
    await expect(run).rejects.toThrow('that will do');
    await redis.config('SET', 'maxmemory', '0');
    await coordinator.close();
  });

  it('fills its memory now and then: no family is dropped, the same bits', async () => {
    workers = [startWorker(server.url, { delay: 50 })];
    let toggling: NodeJS.Timeout | undefined;
    let isFull = false;
    const { average, counts } = await runOnCluster(server.url, config, {
      onIteration: (iteration) => {
        if (iteration === 2) {
          toggling = setInterval(() => {
            isFull = !isFull;
            void redis.config('SET', 'maxmemory', isFull ? '1' : '0');
          }, 300);
        }
        // It may be tried for long otherwise.
        if (iteration === 4) clearInterval(toggling);
        return iteration === 4 ? redis.config('SET', 'maxmemory', '0') : undefined;
      },
    });
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 35, dropped: 0 });
  });

  it('writes into a job that has failed what nobody can read: the status of the cluster says why it failed', async () => {
    const address = parseAddress(server.url, 'test');
    workers = [startWorker(server.url, { failingFamily: 3 })];
    const { counts } = await runOnCluster(server.url, evolution(1));
    expect(counts.dropped).toBe(1);
    const [key] = await redis.zrange(`learned-optimizer:${queue}:failed`, '0', '0');
    await redis.hset(`learned-optimizer:${queue}:${key}`, 'data', '{');
    const { queues } = await clusterStatus(address);
    expect(queues).toMatchObject([{ failed: 1, lastFailure: 'this family cannot be computed here' }]);
  });

  it('has ended it: coordinator and worker can be closed', async () => {
    const own = await RedisServer.start();
    const address = parseAddress(own.url, 'test');
    const stop = new AbortController();
    const coordinator = await Coordinator.open({ address, pollSeconds: 0.2, signal: stop.signal });
    const worker = await ClusterWorker.start({ address, lockSeconds: 2 });
    while (coordinator.workers === 0) await sleep(20);
    await own.stop();
    await Promise.all([coordinator.close(), worker.close()]);
    expect(coordinator.workers).toBe(1);
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    stop.abort();
    expect(timers()).toBe(before);
  });
});
