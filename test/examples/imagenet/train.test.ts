import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../../examples/imagenet/training/command';
import { start } from '../../cli/run';
import { writeIdxFolder } from './images';

const dir = mkdtempSync(join(tmpdir(), 'imagenet-train-'));
afterAll(() => rmSync(dir, { recursive: true }));

const data = join(dir, 'idx');
writeIdxFolder(data, 30);

/** Runs the command in this process. */
async function train(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', ''];
  const out = { write: (text: string) => (stdout += text) } as unknown as NodeJS.WriteStream;
  const err = { write: (text: string) => (stderr += text) } as unknown as NodeJS.WriteStream;
  const code = await runCommand(args, { streams: { out, err }, signal: new AbortController().signal });
  return { code, stdout, stderr };
}

const tiny = (out: string, ...args: string[]): string[] => [
  ...['--data-dir', data, '--model', 'tiny-resnetv2', '--backend', 'cpu', '--batch-size', '2', '--workers', '1'],
  ...['--log-every', '1', '--evaluation-images', '2', '--out', join(dir, out), ...args],
];

describe('the training script', { timeout: 120_000 }, () => {
  it('teaches with --help', async () => {
    const { code, stdout } = await train('--help');
    expect(code).toBe(0);
    for (const word of [
      'inceptionv3',
      'train/<class>',
      '--resume',
      'Examples:',
      'tensorboard --logdir',
      'Exit codes',
    ]) {
      expect(stdout).toContain(word);
    }
  });

  it('trains, evaluates and logs, and refuses another run in the same folder', async () => {
    const whole = await train(...tiny('whole', '--steps', '3', '--json'));
    expect([whole.code, whole.stderr]).toEqual([0, expect.stringContaining('training: 3 of 3')]);
    const result = JSON.parse(whole.stdout) as Record<string, unknown>;
    expect(result).toMatchObject({ model: 'tiny-resnetv2', parameters: 15_331, step: 3, evaluation: { images: 2 } });

    const again = await train(...tiny('whole', '--steps', '3'));
    expect([again.code, again.stderr]).toEqual([
      2,
      expect.stringMatching(/--out: .* holds a run already .*add --resume/),
    ]);
    const other = await train(...tiny('whole', '--steps', '3', '--resume', '--seed', '2', '--json'));
    expect([other.code, JSON.parse(other.stdout)]).toEqual([
      2,
      { error: expect.objectContaining({ message: expect.stringMatching(/seed 1, now 2: give the same options/) }) },
    ]);
  });

  it('stopped by Ctrl-C writes a checkpoint, and --resume goes on to the result of an uninterrupted run', async () => {
    // So many steps that it has not ended before it is stopped.
    const { child, finished } = start('examples/imagenet/train.ts', tiny('stopped', '--steps', '500'));
    const log = join(dir, 'stopped', 'log.jsonl');
    while (child.exitCode === null && !(existsSync(log) && readFileSync(log, 'utf8').length > 0)) await sleep(10);
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect([code, stderr]).toEqual([130, expect.stringContaining('interrupted; go on with --resume --out')]);
    const logged = (out: string): Record<string, unknown>[] =>
      readFileSync(join(dir, out, 'log.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => ({ ...(JSON.parse(line) as object), fit_ms: 0, wait_ms: 0 }));
    const steps = Number(logged('stopped').at(-1)!['step']) + 2;
    const resumed = await train(...tiny('stopped', '--steps', `${steps}`, '--resume'));
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stdout).toMatch(
      new RegExp(`steps +${steps}.*\nevaluation +top-1 .*on 2 images after step ${steps}\nstep .* ms: .*\nrun `),
    );
    expect((await train(...tiny('uninterrupted', '--steps', `${steps}`))).code).toBe(0);
    expect(logged('stopped')).toEqual(logged('uninterrupted'));
  });

  it.each([
    [[], /required option '--data-dir <folder>'/],
    [['--data-dir', join(dir, 'none')], /--data-dir .*there is no such folder; expected either train\/<class>/],
    [['--data-dir', data, '--model', 'vgg'], /Allowed choices are resnet50v2/],
    [['--data-dir', data, '--optimizer', 'adam'], /--learning-rate: adam needs one, such as 0\.001/],
    [['--data-dir', data, '--learning-rate', '1'], /--learning-rate: the learned optimizer has none/],
    [
      ['--data-dir', data, '--optimizer', 'adam', '--learning-rate', '1', '--multiplier', '2', '--warmup-steps', '0'],
      /--multiplier, --warmup-steps: only --optimizer learned has it, adam was chosen/,
    ],
    [['--data-dir', data, '--multiplier', '0'], /--multiplier.*Expected a number above 0/],
    [['--data-dir', data, '--size', '20'], /--size: resnet50v2 needs at least 32 pixels, got 20/],
    [['--data-dir', data, '--batch-size', '100'], /--batch-size: expected at most 24, the number of training images/],
    [['--data-dir', data, '--resume'], /--resume: .*checkpoint\.safetensors does not exist/],
    [['--data-dir', data, '--preset', 'best'], /--preset: expected .* got best/],
    [['--data-dir', data, 'more'], /too many arguments/],
  ])('refuses %j', async (args, message) => {
    const out = join(dir, 'refused');
    const { code, stderr } = await train('--out', out, ...args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(out)).toBe(false);
  });
});
