import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { localEngine, PROTOCOL, queueNameOf } from '../../../lib/cluster/engine';
import { checkBundle, orderId } from '../../../lib/cluster/partJob';
import type { PartJob } from '../../../lib/cluster/partJob';
import { metaTrain } from '../../../lib/meta/trainer';
import { start } from '../../cli/run';
import { describeWithRedis, RedisServer } from '../redisServer';
import { Proxy } from './proxy';
import { evolution, membersThere, runOnCluster, startWorker, stopWorkers } from '../setup';
import type { WorkerChild } from '../setup';

const config = evolution(4);

describeWithRedis('faults of workers', { timeout: 300_000 }, () => {
  let server: RedisServer;
  let undisturbed: Float64Array;
  let workers: WorkerChild[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
    undisturbed = await metaTrain({ config, threads: 1 });
  });
  afterEach(async () => {
    await stopWorkers(workers);
    workers = [];
  });
  afterAll(() => server?.stop());

  it('one killed with SIGKILL in mid-job: another does its job, and the bits are the same', async () => {
    workers = [startWorker(server.url, { delay: 200 }), startWorker(server.url, { delay: 200 })];
    const [victim] = workers;
    await membersThere(server.url, 'worker', 2);
    const run = runOnCluster(server.url, config);
    const computing = (): number => victim.lines().filter((line) => line.startsWith('computing')).length;
    // It has done parts whose states nobody else has.
    while (computing() < 9) await sleep(5);
    expect(victim.lines().at(-1)).toMatch(/^computing/);
    victim.child.kill('SIGKILL');
    expect((await victim.finished).signal).toBe('SIGKILL');
    const { average, counts, dropped } = await run;
    expect(average).toEqual(undisturbed);
    expect(counts).toMatchObject({ results: 28, dropped: 0 });
    expect(counts.recomputed).toBeGreaterThan(0);
    expect(dropped).toEqual([]);
  });

  it('looked at all the time: nothing is done twice', async () => {
    const longer = evolution(60);
    // Nobody is there who was killed a moment ago.
    const own = await RedisServer.start();
    workers = [1, 2].map(() => startWorker(own.url, { lockSeconds: 10 }));
    const { average, counts } = await runOnCluster(own.url, longer, { pollSeconds: 0.25 });
    await own.stop();
    expect(average).toEqual(await metaTrain({ config: longer, threads: 1 }));
    expect(counts).toMatchObject({ results: 420, repaired: 0, recomputed: 0, dropped: 0 });
  });

  it('one told to end does what it has in hand, far from the coordinator or not: nobody does that again, the same bits', async () => {
    const own = await RedisServer.start();
    const proxy = await Proxy.open(own.port);
    proxy.milliseconds = 150;
    workers = [1, 2].map(() => startWorker(own.url, { delay: 1500, lockSeconds: 30 }));
    await membersThere(own.url, 'worker', 2);
    const [leaver, other] = workers;
    const computing = ({ lines }: WorkerChild): string[] => lines().filter((line) => line.startsWith('computing'));
    const twice = evolution(2);
    let first: string[][] | undefined;
    const run = runOnCluster(`redis://127.0.0.1:${proxy.port}`, twice, {
      pollSeconds: 0.5,
      onIteration: (iteration) => (first = iteration === 1 ? workers.map(computing) : first),
    });
    while (first === undefined || computing(leaver).length === first[0].length) await sleep(20);
    leaver.child.kill('SIGTERM');
    const { average, counts } = await run;
    expect(average).toEqual(await metaTrain({ config: twice, threads: 1 }));
    expect(counts).toMatchObject({ results: 14, dropped: 0 });
    // What it had not begun is for the other one, with the states that it takes along.
    const [byLeaver, byOther] = [leaver, other].map((worker, k) => computing(worker).slice(first![k].length));
    expect(byLeaver).not.toEqual([]);
    expect(byOther.filter((family) => byLeaver.includes(family))).toEqual([]);
    expect((await leaver.finished).code).toBe(0);
    proxy.close();
    await own.stop();
  });

  it('all gone and others come: the run waits, says so, and the bits are the same', async () => {
    workers = [startWorker(server.url)];
    const run = runOnCluster(server.url, config, {
      onIteration: async (iteration) => {
        if (iteration === 2) await stopWorkers(workers);
      },
    });
    await workers[0].finished;
    await sleep(22_000);
    workers = [startWorker(server.url)];
    const { average, said } = await run;
    expect(average).toEqual(undisturbed);
    expect(said.join('\n')).toMatch(/no result for \d+ s: 7 parts are waited for/);
  });

  it('a process of two that is killed is started anew, and all end when their minutes are over', async () => {
    const { child, finished } = start('lib/cli/main.ts', [
      ...['worker', '--processes', '2', '--minutes', '0.5', '--json', '--lock-seconds', '2', '--cluster', server.url],
    ]);
    let said = '';
    child.stderr!.on('data', (data: Buffer) => (said += data.toString()));
    const ready = (): number[] => [...said.matchAll(/worker (\d+): waits for jobs/g)].map(([, id]) => Number(id));
    while (ready().length < 2) await sleep(20);
    process.kill(ready()[0], 'SIGKILL');
    const { average } = await runOnCluster(server.url, evolution(1));
    expect(average.every(Number.isFinite)).toBe(true);
    while (ready().length < 3) await sleep(20);
    const { code, stdout } = await finished;
    expect([code, (JSON.parse(stdout) as { parts: number }).parts]).toEqual([0, 7]);
    expect(said).toMatch(/ended with SIGKILL; started anew in 2 s/);
    for (const id of ready()) expect(() => process.kill(id, 0)).toThrow('ESRCH');
  });

  it('processes that cannot begin are started anew until they can; where there is no Redis at first, the worker says so', async () => {
    const own = await RedisServer.start();
    const proxy = await Proxy.open(own.port);
    const args = ['worker', '--processes', '2', '--cluster', `redis://127.0.0.1:${proxy.port}`];
    const { child, finished } = start('lib/cli/main.ts', args);
    let said = '';
    child.stderr!.on('data', (data: Buffer) => (said += data.toString()));
    const count = (what: RegExp): number => [...said.matchAll(what)].length;
    while (count(/waits for jobs/g) < 2) await sleep(20);
    proxy.sever();
    for (const [, id] of said.matchAll(/worker (\d+): waits for jobs/g)) process.kill(Number(id), 'SIGKILL');
    while (count(/ended with code 1; started anew in 4 s/g) < 2) await sleep(20);
    proxy.mend();
    while (count(/waits for jobs/g) < 4) await sleep(20);
    child.kill('SIGTERM');
    expect((await finished).code).toBe(0);
    proxy.close();
    await own.stop();

    const none = await start('lib/cli/main.ts', args).finished;
    expect([none.code, none.stderr]).toEqual([
      1,
      expect.stringMatching(/^[^\n]*connecting failed: [^\n]*ECONNREFUSED[^\n]*\n$/),
    ]);
  });

  it('a job that always fails is dropped, the run goes on without it and says which', async () => {
    workers = [startWorker(server.url, { failingFamily: 4 })];
    const { average, counts, dropped, said } = await runOnCluster(server.url, evolution(2));
    const reason = 'this family cannot be computed here';
    expect(dropped).toEqual([1, 2].map((iteration) => ({ iteration, family: 4, name: 'linear-20', reason })));
    expect(counts).toMatchObject({ jobs: 14, results: 12, dropped: 2 });
    expect(said.join('\n')).toContain(`goes on without linear-20, which nobody could compute: ${reason}`);
    expect(workers[0].lines().filter((line) => line === 'computing 4')).toHaveLength(6);
    expect(average.every(Number.isFinite)).toBe(true);
    // BullMQ keeps them for people.
    const queue = new Queue(queueNameOf(localEngine()), {
      connection: new Redis(server.url, { maxRetriesPerRequest: null }),
      prefix: 'learned-optimizer',
    });
    expect((await queue.getFailed()).map(({ failedReason }) => failedReason)).toEqual([reason, reason]);
    await queue.obliterate({ force: true });
    await queue.close();
  });

  it('one of another version gets no job and says so; a job of another version is refused', async () => {
    const coordinator = runOnCluster(server.url, config);
    await membersThere(server.url, 'coordinator', 1);
    workers = [startWorker(server.url, { version: '9.9.9' })];
    const word =
      /gets no jobs of the coordinator on .*: it has learned-optimizer \d.* this worker learned-optimizer 9\.9\.9/;
    while (!word.test(workers[0].lines().join('\n'))) await sleep(50);
    workers.push(startWorker(server.url));
    const { average } = await coordinator;
    expect(average).toEqual(undisturbed);
    expect(workers[0].lines().join('\n')).not.toContain('computing');

    const queue = new Queue(queueNameOf(localEngine()), {
      connection: new Redis(server.url, { maxRetriesPerRequest: null }),
      prefix: 'learned-optimizer',
    });
    const job = { protocol: PROTOCOL, engine: { ...localEngine(), version: '0.0.1' } } as PartJob;
    const order = { job, want: 'part' as const };
    const forged = { orders: [order] };
    const id = orderId(order);
    expect(() => checkBundle(forged, id, localEngine())).toThrow(/workers and coordinator need the same/);
    await queue.add('part', forged, { jobId: id, attempts: 3 });
    while ((await queue.getFailedCount()) === 0) await sleep(50);
    const [failed] = await queue.getFailed();
    expect([failed.attemptsMade, failed.failedReason]).toEqual([
      1,
      expect.stringMatching(/^refused: job: expected protocol 3, .*got protocol 3, learned-optimizer 0\.0\.1/),
    ]);
    expect(workers[1].lines().join('\n')).toContain('refused: job');
    await queue.close();
  });
});
