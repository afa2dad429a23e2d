import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cli, root, start } from './run';

const TIMEOUT = 60_000;
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

describe('help', { timeout: TIMEOUT }, () => {
  it('of the program lists the commands, where to start and the exit codes', async () => {
    const { code, stdout, stderr } = await cli(['--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    for (const text of ['demo', 'evaluate', 'landscapes', 'info', 'presets', 'Start here:', 'Exit codes: 0 done'])
      expect(stdout).toContain(text);
  });

  it.each([
    [
      'demo',
      [
        '--dataset',
        '--data-dir',
        '--mirror',
        '--out',
        '--steps',
        '--seed',
        '--backend',
        '--quick',
        '--no-chart',
        '--json',
      ],
    ],
    [
      'evaluate',
      ['--suite', '--preset', '--weights', '--seeds', '--steps', '--learning-rate', '--expect-median', '--json'],
    ],
    ['landscapes', ['--out', '--steps', '--seed', '--landscapes', '--preset', '--weights', '--json']],
    ['info', ['--json']],
    ['presets', ['--json']],
  ])('of %s explains every option and gives examples', async (command, options) => {
    const { code, stdout } = await cli([command, '--help']);
    expect(code).toBe(0);
    for (const option of options) expect(stdout).toMatch(new RegExp(`${option}\\b.*\\S`));
    expect(stdout).toMatch(/Examples:\n {2}\$ learned-optimizer/);
  });

  it('appears, with exit code 2, where no command is given', async () => {
    const { code, stderr } = await cli([]);
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: learned-optimizer');
  });
});

describe('wrong command lines end with exit code 2 and say what was expected', { timeout: TIMEOUT }, () => {
  it.each([
    [['unknown'], /unknown command 'unknown'/],
    [['demo', '--stepz', '3'], /unknown option '--stepz'.*--steps/s],
    [['demo', '--steps', 'many'], /'--steps <n>'.*whole number of at least 1/],
    [['demo', '--steps', '0'], /whole number of at least 1/],
    [['demo', '--seed', '-1'], /whole number of at least 0/],
    [['demo', '--dataset', 'cifar'], /Allowed choices are digits, mnist, fashion-mnist/],
    [['demo', '--backend', 'gpu'], /Allowed choices are auto, node, wasm, cpu/],
    [['demo', '--data-dir', 'x'], /--data-dir: the digits are embedded/],
    [['demo', 'extra'], /too many arguments/],
    [['evaluate', '--suite', 'x'], /Allowed choices are digits/],
    [['evaluate', '--expect-median', '-1'], /number above 0/],
    [['evaluate', '--preset', 'best'], /--preset: expected .*prototype.*, got best/],
    [['evaluate', '--preset', 'prototype', '--weights', 'x'], /expected one of them, got both/],
    [['landscapes', '--landscapes', 'everest'], /--landscapes: expected some of rosenbrock, .*, got everest/],
    [['landscapes', '--steps', '0'], /whole number of at least 1/],
    [['evaluate', '--weights', 'nothing.safetensors'], /nothing\.safetensors does not exist/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await cli(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('as JSON too where --json is given', async () => {
    const { code, stdout } = await cli(['evaluate', '--preset', 'best', '--json']);
    expect(code).toBe(2);
    const { error } = JSON.parse(stdout) as { error: { message: string; exitCode: number } };
    expect(error.exitCode).toBe(2);
    expect(error.message).toContain('got best');
  });
});

describe('info and presets', { timeout: TIMEOUT }, () => {
  it('--version is that of the package', async () => {
    expect(await cli(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  it('info prints what is in use, as a table and as JSON', async () => {
    const { code, stdout } = await cli(['info', '--json']);
    expect(code).toBe(0);
    const facts = JSON.parse(stdout) as { version: string; isa: string; isaAvailable: string[]; threads: number };
    expect(facts.version).toBe(version);
    expect(facts.isaAvailable).toContain(facts.isa);
    expect(facts.threads).toBeGreaterThan(0);
    expect((await cli(['info'])).stdout).toMatch(new RegExp(`instruction set.*${facts.isa}`));
  });

  it('presets lists the weights that ship', async () => {
    const { stdout } = await cli(['presets', '--json']);
    const names = (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['prototype', 'rmsprop-like']));
    const table = (await cli(['presets'])).stdout;
    for (const name of names) expect(table).toContain(name);
  });
});

describe('evaluate', { timeout: TIMEOUT }, () => {
  const short = ['evaluate', '--seeds', '2', '--steps', '60'];

  it('prints the losses of every seed as JSON, the same every time', async () => {
    const [first, second] = await Promise.all([cli([...short, '--json']), cli([...short, '--json'])]);
    expect(first.code).toBe(0);
    type Result = { name: string; finalLosses: number[]; median: number; worst: number; ratio: number };
    const results = (outcome: { stdout: string }): Result[] =>
      (JSON.parse(outcome.stdout) as { results: Result[] }).results;
    const losses = (outcome: { stdout: string }): number[][] => results(outcome).map((r) => r.finalLosses);
    expect(losses(second)).toEqual(losses(first));
    const [learned, usual, tuned] = results(first);
    expect([learned.name, usual.name, tuned.name]).toEqual([
      'learned optimizer',
      'Adam, usual rate',
      'Adam, tuned rate',
    ]);
    for (const result of [learned, usual, tuned]) {
      expect(result.finalLosses).toHaveLength(2);
      expect(result.worst).toBe(Math.max(...result.finalLosses));
      expect(result.median).toBeCloseTo((result.finalLosses[0] + result.finalLosses[1]) / 2, 12);
      expect(result.ratio).toBeCloseTo(result.median / learned.median, 12);
    }
    expect(learned.ratio).toBe(1);
    expect(tuned.median).toBeLessThanOrEqual(usual.median);
  });

  it('ends with exit code 3 where the expected median is missed, and 0 where it is met', async () => {
    const [missed, met] = await Promise.all([
      cli([...short, '--expect-median', '1e-9']),
      cli([...short, '--expect-median', '10']),
    ]);
    expect(missed.code).toBe(3);
    expect(missed.stderr).toMatch(/--expect-median: expected at most 1e-9, got \d/);
    expect(missed.stdout).toContain('Adam, tuned rate');
    expect(met.code).toBe(0);
    expect(met.stdout).toMatch(/expected a median of at most 10: met/);
  });

  it('stops in good order when interrupted', async () => {
    const { child, finished } = start('lib/cli/main.ts', ['evaluate', '--steps', '200000']);
    await new Promise<void>((resolve) => child.stdout!.once('data', () => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGINT');
    const { code, signal, stderr } = await finished;
    expect([code, signal]).toEqual([130, null]);
    expect(stderr).toContain('learned-optimizer: interrupted');
  });
});
