import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { loadWeights } from '../../lib/index';
import { RUN } from '../meta/runSetup';
import { cli, start } from './run';

const dir = mkdtempSync(join(tmpdir(), 'meta-train-'));
afterAll(() => rmSync(dir, { recursive: true }));

const config = join(dir, 'config.json');
writeFileSync(config, JSON.stringify({ ...RUN.config, name: 'mine', description: 'A test.' }));
const short = ['meta-train', '--config', config, '--no-validation', '--log-every', '1', '--snapshot-every', '1'];

describe('meta-train', { timeout: 240_000 }, () => {
  it('makes weights that load, with the configuration that they came from', async () => {
    const out = join(dir, 'run');
    const { code, stdout, stderr } = await cli([...short, '--out', out, '--json']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('meta-training: 8 of 8')]);
    const { best, iterations } = JSON.parse(stdout) as { best: string; iterations: number };
    expect(iterations).toBe(8);
    const { metadata } = loadWeights(best);
    expect(metadata).toMatchObject({ name: 'mine', description: 'A test.' });
    expect(JSON.parse(metadata.provenance)).toMatchObject({ iteration: 8, config: { seed: RUN.config.seed } });

    const again = await cli([...short, '--out', out]);
    expect([again.code, again.stderr]).toEqual([
      2,
      expect.stringMatching(/--out: .* holds a run already; add --resume/),
    ]);
  });

  it('stopped by Ctrl-C ends with code 130, and --resume gives the bits of an uninterrupted run', async () => {
    // So many that it has not ended before it is stopped.
    const phases = RUN.config.phases.map((phase) => ({ ...phase, iterations: 15 }));
    writeFileSync(join(dir, 'longer.json'), JSON.stringify({ ...RUN.config, phases }));
    const args = ['meta-train', '--config', join(dir, 'longer.json'), '--no-validation', '--log-every', '1'];
    const out = join(dir, 'stopped');
    const { child, finished } = start('lib/cli/main.ts', [...args, '--out', out, '--checkpoint-seconds', '1000']);
    const log = join(out, 'log.jsonl');
    const lines = (): number => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0);
    while (child.exitCode === null && lines() < 2) await sleep(20);
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect([code, stderr]).toEqual([130, expect.stringMatching(/go on with --resume/)]);
    expect((await cli(['meta-train', '--out', out, '--resume', '--threads', '1'])).code).toBe(0);
    expect((await cli([...args, '--out', join(dir, 'undisturbed')])).code).toBe(0);
    const final = (folder: string): Buffer => readFileSync(join(dir, folder, 'final.safetensors'));
    expect(final('stopped').equals(final('undisturbed'))).toBe(true);
  });

  it.each([
    [['--resume', '--out', join(dir, 'none')], /--resume: .*none holds no run/],
    [['--resume', '--no-validation'], /--no-validation: expected none with --resume/],
    [['--resume', '--start', 'hrnn-3'], /--start: expected none with --resume/],
    [['--start', 'hrnn-9'], /--start hrnn-9: preset: expected one of .*hrnn-3/],
    [['--start', join(dir, 'none.safetensors')], /--start .*none.safetensors: /],
    [['--preset', 'paper', '--start', 'hrnn-3'], /--start hrnn-3: .*architecture/],
    [['--resume', '--seed', '3'], /--seed: expected none with --resume/],
    [['--corpus', 'none'], /--corpus none: expected --problems/],
    [['--problems', join(dir, 'none.mjs')], /--problems: .*none\.mjs does not exist/],
    [['--config', join(dir, 'none.json')], /--config: expected a JSON file, but .* does not exist/],
    [['--snapshot-every', '70'], /--snapshot-every: expected a multiple of --log-every 50, got 70/],
    [['--preset', 'best'], /Allowed choices are default, paper/],
    [['--minutes', '0'], /number above 0/],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await cli(['meta-train', '--out', join(dir, 'refused'), ...args]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(join(dir, 'refused'))).toBe(false);
  });

  it('trains on problems of your own, which end up in the log', async () => {
    const out = join(dir, 'own');
    const problems = join(dir, 'problems.mjs');
    writeFileSync(
      problems,
      `import { defineObjective } from ${JSON.stringify(new URL('../../lib/problems/index.ts', import.meta.url).href)};
       const parameters = [{ name: 'x', shape: [6] }];
       const fourth = {
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
       };
       export default [fourth];`,
    );
    const { code, stderr } = await cli([...short, '--corpus', 'none', '--problems', problems, '--out', out]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('fourth-powers')]);
    const [first] = readFileSync(join(out, 'log.jsonl'), 'utf8').split('\n');
    expect(Object.keys((JSON.parse(first) as { losses: object }).losses)).toEqual(['fourth-powers']);
  });

  it.each([
    ['export const families = [];', /default export that is a list of problem families, got none/],
    ["export default [{ name: 'x', parameters: [] }];", /entry 0 \("x"\): parameters/],
    ["export default [{ name: 'x', parameters: [{ name: 'a', shape: [1] }] }];", /entry 0 \("x"\): sample\(random\)/],
    ["throw new Error('broken');", /broken/],
    [
      "export default Array.from({ length: 250 }, (_, i) => ({ name: `x${i}`, parameters: [{ name: 'a', shape: [1] }], sample() {} }));",
      /problems: expected at most 256 families with those of the corpus 'default', got 257/,
    ],
  ])('says what is wrong with the module of problems %j', async (source, message) => {
    const problems = join(dir, `bad-${source.length}.mjs`);
    writeFileSync(problems, source);
    const { code, stderr } = await cli([...short, '--problems', problems, '--out', join(dir, 'refused')]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(join(dir, 'refused'))).toBe(false);
  });

  it('names the field of a configuration that is wrong', async () => {
    const bad = join(dir, 'bad.json');
    const [first, ...rest] = RUN.config.phases;
    writeFileSync(bad, JSON.stringify({ ...RUN.config, phases: [{ ...first, rate: -1 }, ...rest] }));
    const { code, stderr } = await cli(['meta-train', '--config', bad, '--out', join(dir, 'refused')]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/phases\[0\]\.rate: expected a number above 0, got -1/)]);
  });
});
