import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cli, start } from '../../cli/run';
import { describeWithRedis, RedisServer } from '../redisServer';
import { evolution } from '../setup';

const library = JSON.stringify(new URL('../../../lib/problems/index.ts', import.meta.url).href);
/** A family of fourth powers, with a remark. */
const moduleWith = (remark: string): string => `// ${remark}
import { defineObjective } from ${library};
const parameters = [{ name: 'x', shape: [6] }];
export default [{
  name: 'fourth-powers',
  parameters,
  sample(random) {
    const centre = Array.from({ length: 6 }, () => random.normal());
    const value = (theta) => theta.reduce((sum, x, i) => sum + (x - centre[i]) ** 4, 0);
    return defineObjective({
      name: 'fourth-powers', parameters, value,
      gradient: (theta, out) => (theta.forEach((x, i) => (out[i] = 4 * (x - centre[i]) ** 3)), value(theta)),
    });
  },
}];
`;

describeWithRedis('problems of a user in a cluster', { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cluster-problems-'));
  const [problems, other, copy] = ['mine.mjs', 'other.mjs', 'copy.mjs'].map((name) => join(folder, name));
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
    writeFileSync(problems, moduleWith('mine'));
    writeFileSync(copy, moduleWith('mine'));
    writeFileSync(other, moduleWith('not mine'));
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  it('are computed by workers with the same file, wherever it lies, and by no others', async () => {
    // In processes of their own, for the test runner cannot import such a module.
    const config = join(folder, 'config.json');
    writeFileSync(config, JSON.stringify({ ...evolution(4), corpus: 'none', problems }));
    const short = ['meta-train', '--config', config, '--no-validation', '--json', '--out'];
    const coordinator = start('lib/cli/main.ts', [...short, join(folder, 'cluster'), '--cluster', server.url]);
    const worker = (...more: string[]): ReturnType<typeof start> =>
      start('lib/cli/main.ts', ['worker', '--processes', '1', '--json', '--cluster', server.url, ...more]);
    let waits = '';
    coordinator.child.stderr!.on('data', (data: Buffer) => (waits += data.toString()));
    while (!waits.includes('no result for')) await sleep(100);
    const strangers = [worker(), worker('--problems', other)];
    const words = strangers.map(({ child }) => {
      let said = '';
      child.stderr!.on('data', (data: Buffer) => (said += data.toString()));
      return () => said;
    });
    while (!words.every((said) => said().includes('have different --problems'))) await sleep(50);
    const fit = worker('--problems', copy);
    const run = await coordinator.finished;
    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ cluster: { results: 4, dropped: 0, refused: 0 } });
    expect((await cli([...short, join(folder, 'threads')])).code).toBe(0);
    const bytes = (name: string): Buffer => readFileSync(join(folder, name, 'final.safetensors'));
    expect(bytes('cluster').equals(bytes('threads'))).toBe(true);
    for (const { child } of [...strangers, fit]) child.kill('SIGTERM');
    const parts = async ({ finished }: typeof fit): Promise<number> =>
      (JSON.parse((await finished).stdout) as { parts: number }).parts;
    expect(await parts(fit)).toBe(4);
    for (const stranger of strangers) {
      expect(await parts(stranger)).toBe(0);
      expect((await stranger.finished).stderr).toMatch(/it and this worker have different --problems/);
    }
  });
});
