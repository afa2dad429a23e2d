import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { runCompare } from '../../../examples/imagenet/comparison/command';
import type { RunJob } from '../../../examples/imagenet/comparison/command';
import { trainContender } from '../../../examples/imagenet/comparison/train';
import { start } from '../../cli/run';
import { writeIdxFolder, writeImageFolder } from './images';

const dir = mkdtempSync(join(tmpdir(), 'imagenet-compare-'));
afterAll(() => rmSync(dir, { recursive: true }));

const data = join(dir, 'idx');
writeIdxFolder(data, 30);

/** Runs the command and, unless another way is given, all of its runs in this process. */
async function compare(
  args: readonly string[],
  runJob: RunJob = (job, _signal, onStep) => trainContender(job, onStep),
) {
  let [stdout, stderr] = ['', ''];
  const out = { write: (text: string) => (stdout += text) } as unknown as NodeJS.WriteStream;
  const err = { write: (text: string) => (stderr += text) } as unknown as NodeJS.WriteStream;
  const code = await runCompare(args, { streams: { out, err }, signal: new AbortController().signal }, runJob);
  return { code, stdout, stderr };
}

const tiny = (out: string, ...args: string[]): string[] => [
  ...['--data-dir', data, '--networks', 'tiny-resnetv2', '--backend', 'cpu', '--batch-size', '2', '--size', '32'],
  ...['--evaluation-images', '2', '--rates', '1e-4', '--out', join(dir, out), ...args],
];

describe('the comparison on images', { timeout: 120_000 }, () => {
  it('trains, evaluates, writes data and pictures, and makes no run twice', async () => {
    const { code, stdout, stderr } = await compare(tiny('whole', '--steps', '2', '--json'));
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout) as { runs: Record<string, unknown>[]; pictures: string[] };
    expect(result.runs).toMatchObject([{ contender: 'learned' }, { contender: 'adam 1e-4', bestAdam: true }]);
    for (const path of result.pictures) expect(existsSync(path), path).toBe(true);
    expect(result.pictures).toHaveLength(4);

    const runs = readFileSync(join(dir, 'whole', 'runs.json'), 'utf8');
    const losses = (JSON.parse(runs) as { runs: { losses: number[]; stepMs: number[] }[] }).runs;
    // The same start and the same first batch.
    expect(losses[0].losses[0]).toBe(losses[1].losses[0]);
    expect(losses.map((run) => [run.losses.length, run.stepMs.length])).toEqual([
      [2, 2],
      [2, 2],
    ]);

    const again = await compare(tiny('whole', '--steps', '2'), () => Promise.reject(new Error('made again')));
    expect([again.code, again.stderr]).toEqual([
      0,
      expect.stringContaining('run 2 of 2: tiny-resnetv2, adam 1e-4: there already'),
    ]);
    expect(again.stdout).toContain('best rate');
    expect(readFileSync(join(dir, 'whole', 'runs.json'), 'utf8')).toBe(runs);

    const other = await compare(tiny('whole', '--steps', '3'));
    expect([other.code, other.stderr]).toEqual([
      1,
      expect.stringMatching(/runs\.json: expected steps 3, got 2; .*--out/),
    ]);
  });

  it('with a multiplier takes shorter steps from the same start', async () => {
    const { code, stderr } = await compare(tiny('slow', '--steps', '2', '--multipliers', '1e-6', '--no-pictures'));
    expect(code, stderr).toBe(0);
    const { runs } = JSON.parse(readFileSync(join(dir, 'slow', 'runs.json'), 'utf8')) as {
      runs: { multiplier?: number; losses: number[] }[];
    };
    expect(runs.map(({ multiplier }) => multiplier)).toEqual([undefined, 1e-6, undefined]);
    expect(runs[1].losses[0]).toBe(runs[0].losses[0]);
    expect(runs[1].losses[1]).not.toBe(runs[0].losses[1]);
  });

  it('stopped by Ctrl-C keeps the runs that are finished', async () => {
    // So many steps that not all runs have ended before it is stopped.
    const { child, finished } = start('examples/imagenet/compare.ts', tiny('stopped', '--steps', '20'));
    const runs = join(dir, 'stopped', 'runs.json');
    while (child.exitCode === null && !existsSync(runs)) await sleep(10);
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect([code, stderr]).toEqual([130, expect.stringContaining('interrupted; finished runs are in')]);
    expect((JSON.parse(readFileSync(runs, 'utf8')) as { runs: unknown[] }).runs).toHaveLength(1);
  });

  it('teaches with --help', async () => {
    const { code, stdout } = await compare(['--help']);
    expect(code).toBe(0);
    for (const word of ['train-images-idx3-ubyte', 'curves.csv', 'Examples:', 'Exit codes']) {
      expect(stdout).toContain(word);
    }
  });

  it.each([
    [['--multipliers', '-1'], /--multipliers.*Expected a number above 0/],
    [['--rates', '0'], /--rates.*Expected a number above 0/],
    [['--networks', 'vgg'], /--networks.*Expected some of resnet50v2, .*got 'vgg'/],
    [['--size', '16'], /--size: tiny-resnetv2 needs at least 32 pixels, got 16/],
    [['--batch-size', '100'], /--batch-size: expected at most 24, the number of training images, got 100/],
    [['--data-dir', join(dir, 'none')], /--data-dir .*none: there is no such folder/],
  ])('refuses %j and says why', async (args, message) => {
    const { code, stderr } = await compare(tiny('refused', ...args));
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it('refuses folders of photographs, naming the script for them', async () => {
    const folder = join(dir, 'photographs');
    writeImageFolder(folder, 1);
    const { code, stderr } = await compare(tiny('refused', '--data-dir', folder));
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/expected idx files, got folders of images, .*train\.ts/),
    ]);
  });
});
