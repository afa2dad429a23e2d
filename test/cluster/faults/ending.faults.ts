import { Redis } from 'ioredis';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { root, start } from '../../cli/run';
import type { Outcome } from '../../cli/run';
import { describeWithRedis, RedisServer } from '../redisServer';
import { evolution, SHORT } from '../setup';
import { Proxy } from './proxy';

/** Steps of a part that takes minutes, and of one that takes a second or two. */
const LONG = 100_000;
const SECONDS = 2000;

describeWithRedis('told to end', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cluster-ending-'));
  const file = join(folder, 'config.json');
  let server: RedisServer;
  let redis: Redis;
  let started: ReturnType<typeof start>[] = [];
  let runs = 0;
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

  function keep(process: ReturnType<typeof start>): ReturnType<typeof start> {
    started.push(process);
    return process;
  }

  const command = (...args: readonly string[]): ReturnType<typeof start> =>
    keep(start('lib/cli/main.ts', [...args, '--cluster', server.url]));

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

  /** Waits until somebody waits for a command that Redis does not answer. */
  async function waitUntilPaused(): Promise<void> {
    while (!/flags=b/.test((await redis.call('CLIENT', 'LIST')) as string)) await sleep(20);
  }

  const expectWorkerEnded = ({ code, stdout, stderr }: Outcome): void => {
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    expect(stdout).toMatch(/^parts .* failed 0$/m);
  };

  /** What a process has written to standard error so far. */
  function listen({ child }: ReturnType<typeof start>): () => string {
    let said = '';
    child.stderr!.on('data', (data: Buffer) => (said += data.toString()));
    return () => said;
  }

  type Heard = [ReturnType<typeof start>, () => string];
  const heard = (process: ReturnType<typeof start>): Heard => [process, listen(process)];
  const workerOfTwo = (): Heard => heard(worker(2));

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

  /** Configuration of a run whose parts are so many steps long. */
  function longFile(steps: number): string {
    const [phase] = evolution(1000).phases;
    const estimator = { ...phase.estimator, truncation: steps, horizon: [steps, steps] };
    const long = join(folder, `long-${steps}.json`);
    writeFileSync(long, JSON.stringify({ ...SHORT, phases: [{ ...phase, estimator, horizonGrowth: undefined }] }));
    return long;
  }

  /**
   * Starts a run whose parts are so many steps long, then, when they are in the queue of all workers, workers, and waits until
   * so many of the jobs are in hand.
   */
  async function longJobs<T>(count: number, steps: number, begin: () => T): Promise<T> {
    coordinator(`long-${runs++}`, longFile(steps));
    while ((await keysOfAll('wait')).length === 0) await sleep(20);
    const workers = begin();
    while ((await inHand()).length < count) await sleep(20);
    await sleep(500);
    return workers;
  }

  /** Keys of the queue of all workers. */
  const keysOfAll = async (name: string): Promise<string[]> =>
    (await redis.keys(`*:${name}`)).filter((key) => !key.includes('-at-'));

  /** Jobs of that queue that are in hand. */
  async function inHand(): Promise<string[]> {
    const [active] = await keysOfAll('active');
    return active === undefined ? [] : redis.lrange(active, 0, -1);
  }
  /** What is in hand of the queue of all workers is completed when a worker has ended, whatever is done meanwhile. */
  async function expectHandedOver(
    { finished }: ReturnType<typeof start>,
    meanwhile: () => Promise<void> | void,
  ): Promise<void> {
    const jobs = await inHand();
    expect(jobs).not.toEqual([]);
    await meanwhile();
    expectWorkerEnded(await finished);
    const [events] = await keysOfAll('events');
    const completed = (await redis.xrange(events, '-', '+')).filter(([, fields]) => fields.includes('completed'));
    expect(completed.map(([, fields]) => fields[fields.indexOf('jobId') + 1])).toEqual(expect.arrayContaining(jobs));
  }

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
      await waitUntilPaused();
      process.child.kill('SIGTERM');
      expect((await process.finished).code).toBe(code);
      await redis.call('CLIENT', 'UNPAUSE');
      while ((await connections()) > before) await sleep(20);
    }
  });

  it('while it starts and Redis goes, a worker ends', async () => {
    await redis.call('CLIENT', 'PAUSE', '600000', 'WRITE');
    const { child, finished } = worker();
    await waitUntilPaused();
    child.kill('SIGTERM');
    await server.down('SIGKILL');
    expectWorkerEnded(await finished);
  });

  it.each(['goes before that', 'goes after that', 'is silent'])(
    "with a job in hand, when Redis %s, a worker ends long before its lock's seconds",
    async (when) => {
      const { child, finished } = await longJobs(1, LONG, worker);
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
        // It waits for its computation.
        const isLeaving = async (): Promise<boolean> =>
          (await redis.mget(await redis.keys('*:member:*'))).some((member) => member?.includes('"leaving":true'));
        while (!(await isLeaving())) await sleep(20);
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
    const [both, said] = await longJobs(2, SECONDS, workerOfTwo);
    while (ready(said()).length < 2) await sleep(20);
    await expectHandedOver(both, () => {
      // As one who ends all processes of a group, and another that passes it on.
      for (const id of [both.child.pid!, ...ready(said())]) for (let k = 0; k < 2; k++) process.kill(id, 'SIGTERM');
    });
  });

  /** A worker that reaches Redis in another way. */
  const workerBy = (proxy: Proxy): Heard =>
    heard(keep(start('lib/cli/main.ts', ['worker', '--processes', '1', '--cluster', proxyUrl(proxy)])));
  const proxyUrl = ({ port }: Proxy): string => `redis://127.0.0.1:${port}`;

  it('with a job in hand, when the connection is lost for a moment, a worker hands it over', async () => {
    const proxy = await Proxy.open(server.port);
    const [one, said] = await longJobs(1, SECONDS, () => workerBy(proxy));
    const members = async (): Promise<number> => (await redis.keys('*:member:*')).length;
    expect(await members()).toBe(2);
    await expectHandedOver(one, async () => {
      proxy.sever();
      while (!said().includes('lost')) await sleep(20);
      one.child.kill('SIGTERM');
      await sleep(2000);
      proxy.mend();
    });
    expect(await members()).toBe(1);
    proxy.close();
  });

  it("with a job in hand, when Redis's memory is full for a while, a worker hands it over", async () => {
    const [one, said] = await longJobs(1, SECONDS, () => heard(worker()));
    await expectHandedOver(one, async () => {
      await redis.config('SET', 'maxmemory', '1');
      one.child.kill('SIGTERM');
      while (!said().includes('OOM')) await sleep(20);
      await sleep(8000);
      await redis.config('SET', 'maxmemory', '0');
    });
  });

  it('with a job in hand, over a slow link, a worker hands it over', async () => {
    const proxy = await Proxy.open(server.port);
    const [one] = await longJobs(1, SECONDS, () => workerBy(proxy));
    await expectHandedOver(one, () => {
      // What is handed over has some tens of kilobytes.
      proxy.bytesPerSecond = 5000;
      one.child.kill('SIGTERM');
    });
    proxy.close();
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'with a job in hand, told by SIGTERM and %s, a worker ends at once',
    async (second) => {
      const [one, said] = await longJobs(1, LONG, () => heard(worker()));
      one.child.kill('SIGTERM');
      while (!said().includes('ends when the jobs in hand are done')) await sleep(20);
      await sleep(1000);
      one.child.kill(second);
      expect((await one.finished).code).toBe(130);
    },
  );

  it('with the process that started it, a coordinator ends after the iteration, with a checkpoint', async () => {
    const out = join(folder, 'foreign');
    const args = [
      'meta-train',
      '--out',
      out,
      '--config',
      longFile(SECONDS),
      '--no-validation',
      '--cluster',
      server.url,
    ];
    const program = `const { fork } = require('node:child_process');
      const child = fork('lib/cli/main.ts', ${JSON.stringify(args)}, { execArgv: ['--import', 'tsx'] });
      console.log(child.pid);`;
    const launcher = spawn(process.execPath, ['-e', program], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let [printed, said] = ['', ''];
    launcher.stdout.on('data', (data: Buffer) => (printed += data.toString()));
    launcher.stderr.on('data', (data: Buffer) => (said += data.toString()));
    while ((await keysOfAll('wait')).length === 0) await sleep(20);
    worker(2);
    while ((await inHand()).length === 0) await sleep(20);
    // Ctrl-C, for both of them.
    process.kill(Number(printed), 'SIGINT');
    await sleep(200);
    launcher.kill('SIGKILL');
    // Its output is at its end when the coordinator has gone.
    await once(launcher, 'close');
    expect(said).toContain('go on with --resume');
    expect(existsSync(join(out, 'checkpoint.safetensors'))).toBe(true);
  });

  it('with jobs in hand, told a second time, all processes of a worker end at once', async () => {
    const [both, said] = await longJobs(2, LONG, workerOfTwo);
    while (ready(said()).length < 2) await sleep(20);
    both.child.kill('SIGTERM');
    while (said().split('ends when the jobs in hand are done').length < 3) await sleep(20);
    await sleep(1000);
    expect(ready(said()).some(isThere)).toBe(true);
    both.child.kill('SIGTERM');
    expect((await both.finished).code).toBe(130);
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
