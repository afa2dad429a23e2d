import { Redis } from 'ioredis';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

  const coordinator = (run: string, configuration = file): ReturnType<typeof start> =>
    command('meta-train', '--out', join(folder, run), '--config', configuration, '--no-validation');

  const worker = (): ReturnType<typeof start> => command('worker', '--processes', '1', '--lock-seconds', '300');

  async function connections(): Promise<number> {
    return Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))![1]);
  }

  const expectWorkerEnded = ({ code, stdout, stderr }: Outcome): void => {
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    expect(stdout).toMatch(/^parts /);
  };

  it('a coordinator while nobody computes anything, or while Redis is gone, says so and ends with its last checkpoint', async () => {
    const runs = [coordinator('idle'), coordinator('cut')];
    for (const name of ['idle', 'cut']) while (!existsSync(join(folder, name, 'config.json'))) await sleep(50);
    // Until they have asked for their parts.
    await sleep(3000);
    runs[0].child.kill('SIGTERM');
    const idle = await runs[0].finished;
    await server.stop();
    await sleep(500);
    runs[1].child.kill('SIGTERM');
    for (const { code, stderr } of [idle, await runs[1].finished]) {
      expect([code, stderr]).toEqual([130, expect.stringContaining('the run ends after this iteration')]);
      expect(stderr).toContain('go on with --resume');
    }
  });

  it('while they start and Redis does not let them, coordinator and worker end', async () => {
    // Commands that write wait, the others are answered: what starts waits to say that it is there.
    await redis.call('CLIENT', 'PAUSE', '600000', 'WRITE');
    const before = await connections();
    const [run, first] = [coordinator('paused'), worker()];
    while ((await connections()) < before + 2) await sleep(20);
    await sleep(2000);
    run.child.kill('SIGTERM');
    first.child.kill('SIGTERM');
    expect((await run.finished).code).toBe(130);
    expectWorkerEnded(await first.finished);
    expect(await connections()).toBe(before);
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

  /** Starts a run whose parts take minutes, and waits until so many are in hand. */
  async function longJobs(count: number): Promise<void> {
    const [phase] = evolution(1000).phases;
    const estimator = { ...phase.estimator, truncation: 100_000, horizon: [100_000, 100_000] };
    const long = join(folder, `long-${count}.json`);
    writeFileSync(long, JSON.stringify({ ...SHORT, phases: [{ ...phase, estimator, horizonGrowth: undefined }] }));
    coordinator(`long-${count}`, long);
    const inHand = async (): Promise<number> => {
      const lists = await redis.keys('*:active');
      return (await Promise.all(lists.map((list) => redis.llen(list)))).reduce((sum, length) => sum + length, 0);
    };
    while ((await inHand()) < count) await sleep(20);
    await sleep(500);
  }

  it("with a job in hand, when Redis goes, a worker ends long before its lock's seconds", async () => {
    const { child, finished } = worker();
    await longJobs(1);
    const begun = performance.now();
    child.kill('SIGTERM');
    await server.stop();
    const ended = await finished;
    expectWorkerEnded(ended);
    expect(ended.stdout).toMatch(/^parts {2}0 /);
    expect(performance.now() - begun).toBeLessThan(60_000);
  });

  it('with jobs in hand, told a second time, all processes of a worker end at once', async () => {
    const { child, finished } = command('worker', '--processes', '2');
    let said = '';
    child.stderr!.on('data', (data: Buffer) => (said += data.toString()));
    const ready = (): number[] => [...said.matchAll(/worker (\d+): waits for jobs/g)].map(([, id]) => Number(id));
    while (ready().length < 2) await sleep(20);
    const processes = ready();
    await longJobs(2);
    const isThere = (id: number): boolean => {
      try {
        return process.kill(id, 0);
      } catch {
        return false;
      }
    };
    child.kill('SIGTERM');
    while (said.split('ends when the jobs in hand are done').length < 3) await sleep(20);
    await sleep(500);
    expect(processes.some(isThere)).toBe(true);
    child.kill('SIGTERM');
    expect((await finished).signal).toBe('SIGTERM');
    while (processes.some(isThere)) await sleep(20);
  });
});
