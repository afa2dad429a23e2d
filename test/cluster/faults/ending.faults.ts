import { Redis } from 'ioredis';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { start } from '../../cli/run';
import type { Outcome } from '../../cli/run';
import { describeWithRedis, RedisServer } from '../redisServer';
import { evolution, SHORT } from '../setup';

describeWithRedis('told to end', { timeout: 100_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cluster-ending-'));
  const file = join(folder, 'config.json');
  let server: RedisServer;
  let redis: Redis;
  let started: ReturnType<typeof start>[] = [];
  beforeAll(() => writeFileSync(file, JSON.stringify(SHORT)));
  beforeEach(async () => {
    server = await RedisServer.start();
    redis = new Redis(server.url, { retryStrategy: () => null });
    redis.on('error', () => undefined);
  });
  afterEach(async () => {
    for (const { child } of started) child.kill('SIGKILL');
    await Promise.all(started.map(({ finished }) => finished));
    started = [];
    redis.disconnect();
    await server.stop();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function command(...args: readonly string[]): ReturnType<typeof start> {
    const process = start('lib/cli/main.ts', [...args, '--cluster', server.url]);
    started.push(process);
    return process;
  }

  const coordinator = (run: string, configuration = file, name = 'learned-optimizer'): ReturnType<typeof start> =>
    command(
      ...['meta-train', '--out', join(folder, run), '--config', configuration, '--no-validation'],
      ...['--cluster-name', name],
    );

  const worker = (processes = 1): ReturnType<typeof start> =>
    command('worker', '--processes', String(processes), '--lock-seconds', '300');

  async function connections(): Promise<number> {
    return Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))![1]);
  }

  const expectWorkerEnded = ({ code, stdout, stderr }: Outcome): void => {
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    expect(stdout).toMatch(/^parts /);
  };

  /** What a process has written to standard error so far. */
  function listen({ child }: ReturnType<typeof start>): () => string {
    let said = '';
    child.stderr!.on('data', (data: Buffer) => (said += data.toString()));
    return () => said;
  }

  /** The processes of a worker that have said that they wait for jobs. */
  const ready = (said: string): number[] =>
    [...said.matchAll(/worker (\d+): waits for jobs/g)].map(([, id]) => Number(id));

  const isThere = (id: number): boolean => {
    try {
      return process.kill(id, 0);
    } catch {
      return false;
    }
  };

  /** Starts a run whose parts are so many steps long, and waits until so many of its jobs are in hand. */
  async function longJobs(count: number, steps: number): Promise<void> {
    const [phase] = evolution(1000).phases;
    const estimator = { ...phase.estimator, truncation: steps, horizon: [steps, steps] };
    const long = join(folder, `long-${steps}.json`);
    writeFileSync(long, JSON.stringify({ ...SHORT, phases: [{ ...phase, estimator, horizonGrowth: undefined }] }));
    coordinator(`long-${runs++}`, long);
    const inHand = async (): Promise<number> => {
      const lists = await redis.keys('*:active');
      return (await Promise.all(lists.map((list) => redis.llen(list)))).reduce((sum, length) => sum + length, 0);
    };
    while ((await inHand()) < count) await sleep(20);
    await sleep(500);
  }
  let runs = 0;
  /** Minutes of computation. */
  const LONG = 100_000;

  it('a coordinator while nobody computes anything, or while Redis is gone, says so and ends with its last checkpoint', async () => {
    const processes = ['idle', 'cut'].map((name) => coordinator(name, file, name));
    for (const name of ['idle', 'cut']) {
      // Until it has asked for its parts.
      while (!(await redis.keys(`${name}:*`)).some((key) => /:[0-9a-f]{40}$/.test(key))) await sleep(50);
    }
    await sleep(500);
    processes[0].child.kill('SIGTERM');
    const idle = await processes[0].finished;
    await server.stop();
    await sleep(500);
    processes[1].child.kill('SIGTERM');
    for (const { code, stderr } of [idle, await processes[1].finished]) {
      expect([code, stderr]).toEqual([130, expect.stringContaining('the run ends after this iteration')]);
      expect(stderr).toContain('go on with --resume');
    }
  });

  it('while they start and Redis does not let them, coordinator and worker end', async () => {
    for (const [begin, code] of [
      [() => coordinator('paused'), 130],
      [() => worker(), 0],
    ] as const) {
      const before = await connections();
      // Commands that write wait, the others are answered: what starts waits to say that it is there.
      await redis.call('CLIENT', 'PAUSE', '600000', 'WRITE');
      const process = begin();
      while ((await connections()) === before) await sleep(20);
      await sleep(1000);
      process.child.kill('SIGTERM');
      expect((await process.finished).code).toBe(code);
      await redis.call('CLIENT', 'UNPAUSE');
      while ((await connections()) > before) await sleep(20);
    }
  });

  it('while it starts and Redis goes, a worker ends', async () => {
    await redis.call('CLIENT', 'PAUSE', '600000', 'WRITE');
    const before = await connections();
    const { child, finished } = worker();
    while ((await connections()) === before) await sleep(20);
    await sleep(1000);
    child.kill('SIGTERM');
    await server.down('SIGKILL');
    expectWorkerEnded(await finished);
  });

  it.each(['goes before that', 'goes after that', 'is silent'])(
    "with a job in hand, when Redis %s, a worker ends long before its lock's seconds",
    async (when) => {
      const { child, finished } = worker();
      await longJobs(1, LONG);
      const key = (await redis.keys('*:member:*')).find((name) => name !== undefined)!;
      const workers = async (): Promise<number> => (await redis.keys('*:member:*')).length;
      expect([key !== undefined, await workers()]).toEqual([true, 2]);
      const begun = performance.now();
      if (when === 'goes before that') {
        await server.stop();
        await sleep(500);
      }
      if (when === 'is silent') server.silence();
      child.kill('SIGTERM');
      if (when === 'goes after that') {
        while ((await workers()) === 2) await sleep(20);
        await server.stop();
      }
      const ended = await finished;
      expectWorkerEnded(ended);
      expect(ended.stdout).toMatch(/^parts {2}0 /);
      expect(performance.now() - begun).toBeLessThan(90_000);
    },
  );

  it('with nothing in hand, when Redis is silent, a worker ends before anybody kills it for that', async () => {
    const one = worker();
    const said = listen(one);
    while (ready(said()).length === 0) await sleep(20);
    server.silence();
    const begun = performance.now();
    one.child.kill('SIGTERM');
    expectWorkerEnded(await one.finished);
    // A connection counts as lost after 30 s.
    expect(performance.now() - begun).toBeLessThan(25_000);
  });

  it('with jobs in hand, all processes of a worker do them first, whoever else has told them to end', async () => {
    const both = worker(2);
    const said = listen(both);
    while (ready(said()).length < 2) await sleep(20);
    await longJobs(2, 2000);
    // As one who ends all processes of a group.
    for (const id of [both.child.pid!, ...ready(said())]) process.kill(id, 'SIGTERM');
    const { code, stdout } = await both.finished;
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^parts {2}[1-9]/)]);
    expect(await redis.keys('*:lock')).toEqual([]);
  });

  it('with jobs in hand, told a second time, all processes of a worker end at once', async () => {
    const both = worker(2);
    const said = listen(both);
    while (ready(said()).length < 2) await sleep(20);
    await longJobs(2, LONG);
    both.child.kill('SIGTERM');
    while (said().split('ends when the jobs in hand are done').length < 3) await sleep(20);
    await sleep(500);
    expect(ready(said()).some(isThere)).toBe(true);
    both.child.kill('SIGTERM');
    expect((await both.finished).signal).toBe('SIGTERM');
    while (ready(said()).some(isThere)) await sleep(20);
  });

  it('one worker of twenty processes ends as one, and gives no warnings', async () => {
    const many = worker(20);
    const said = listen(many);
    while (ready(said()).length < 20) await sleep(50);
    many.child.kill('SIGTERM');
    const { code, stderr } = await many.finished;
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Warning')]);
    expect(ready(said()).some(isThere)).toBe(false);
  });

  it('by the end of the process that started them, the processes of a worker end in good order', async () => {
    const both = worker(2);
    const said = listen(both);
    while (ready(said()).length < 2) await sleep(20);
    both.child.kill('SIGKILL');
    while (ready(said()).some(isThere)) await sleep(20);
    expect((await both.finished).stderr).not.toContain('Error');
    expect(await redis.keys('*:member:*')).toEqual([]);
  });
});
