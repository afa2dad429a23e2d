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
    const out = join(dir, 'stopped');
    const { child, finished } = start('lib/cli/main.ts', [...short, '--out', out, '--checkpoint-seconds', '1000']);
    const log = join(out, 'log.jsonl');
    while (!existsSync(log) || readFileSync(log, 'utf8').split('\n').length < 3) await sleep(20);
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect([code, stderr]).toEqual([130, expect.stringMatching(/go on with --resume/)]);
    expect((await cli(['meta-train', '--no-validation', '--out', out, '--resume', '--threads', '1'])).code).toBe(0);
    const final = (folder: string): Buffer => readFileSync(join(dir, folder, 'final.safetensors'));
    expect(final('stopped').equals(final('run'))).toBe(true);
  });

  it.each([
    [['--resume', '--out', join(dir, 'none')], /--resume: .*checkpoint\.safetensors does not exist/],
    [['--config', join(dir, 'none.json')], /--config: expected a JSON file, but .* does not exist/],
    [['--snapshot-every', '70'], /--snapshot-every: expected a multiple of --log-every 50, got 70/],
    [['--preset', 'best'], /Allowed choices are default, paper/],
    [['--minutes', '0'], /number above 0/],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await cli(['meta-train', '--out', join(dir, 'refused'), ...args]);
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
