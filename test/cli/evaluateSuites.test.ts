import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Comparison } from '../../lib/experiments/comparison/compare';
import type { Criterion } from '../../lib/experiments/comparison/criteria';
import type { Validation } from '../../lib/experiments/validation';
import { cli } from './run';

const TIMEOUT = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'suites-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('evaluate --suite validation', { timeout: TIMEOUT }, () => {
  const short = ['evaluate', '--suite', 'validation', '--tasks', 'robust-regression,digits-relu', '--steps', '50'];

  it('prints a score with its runs as JSON, and a table', async () => {
    const [json, text] = await Promise.all([
      cli([...short, '--initial-rates', '1e-3', '--seeds', '3', '--first-seed', '4', '--json']),
      cli(short),
    ]);
    const validation = JSON.parse(json.stdout) as Validation;
    expect(validation.rows.map(({ task, initialRate, seed }) => `${task} ${initialRate} ${seed}`)).toEqual(
      ['digits-relu', 'robust-regression'].flatMap((task) => [4, 5, 6].map((seed) => `${task} 0.001 ${seed}`)),
    );
    expect(text.code).toBe(0);
    expect(text.stdout).toMatch(/robust-regression.*\d/);
    expect(text.stdout).toMatch(/score -?\d\.\d{3} .* of 12 runs/);
  });

  it('takes the bits of the state, which change the runs a little', async () => {
    const one = [...short, '--initial-rates', '1e-3', '--seeds', '1', '--json'];
    const [whole, default32, half, wrong] = await Promise.all([
      cli([...one, '--state-bits', '32']),
      cli(one),
      cli([...one, '--state-bits', '16']),
      cli([...one, '--state-bits', '8']),
    ]);
    expect(whole.stdout).toBe(default32.stdout);
    const scores = [whole, half].map(({ stdout }) => (JSON.parse(stdout) as Validation).score);
    expect(scores[1]).not.toBe(scores[0]);
    expect(scores[1]).toBeCloseTo(scores[0], 1);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/--state-bits <n>.*Expected 32 or 16/)]);
  });

  it('ends with code 3 when the score is above what is expected', async () => {
    const one = [...short, '--initial-rates', '1e-3', '--seeds', '1'];
    const [met, missed] = await Promise.all([
      cli([...one, '--expect-score', '9']),
      cli([...one, '--expect-score', '-5']),
    ]);
    expect([met.code, met.stdout]).toEqual([0, expect.stringContaining('expected a score of at most 9: met')]);
    expect([missed.code, missed.stderr]).toEqual([
      3,
      expect.stringMatching(/--expect-score: expected at most -5, got/),
    ]);
  });
});

describe('evaluate --suite networks', { timeout: TIMEOUT }, () => {
  const cache = join(folder, 'runs.json');
  const short = ['evaluate', '--suite', 'networks', '--tasks', 'autoencoder', '--steps', '10', '--seeds', '2'];
  const kept = [...short, '--baselines', 'adam', '--cache', cache];

  it('fills a cache with baselines, then needs only the learned runs', async () => {
    const filled = await cli([...kept, '--baselines-only']);
    expect(filled.code).toBe(0);
    // 9 rates, 2 more seeds for the best 3, 2 reported seeds at two rates; fewer where the two rates are one
    expect(filled.stdout).toMatch(/^1[79] runs in /);
    const csv = join(folder, 'runs.csv');
    const evaluated = await cli([...kept, '--json', '--csv', csv, '--initial-rates', '1e-4,1e-2']);
    const result = JSON.parse(evaluated.stdout) as Comparison & { criteria: Criterion[] };
    expect(result.tasks.map(({ task }) => task)).toEqual(['autoencoder']);
    expect(result.tasks[0].learnedFromOtherRates.map(({ rate }) => rate)).toEqual([1e-4, 1e-2]);
    expect(result.criteria.map(({ name }) => name)).toEqual([
      'reliable',
      'final loss',
      'mean log loss',
      'untuned Adam',
      'initial rate',
      'long run',
    ]);
    expect(readFileSync(csv, 'utf8').trim().split('\n')).toHaveLength(1 + 4 + 6);
    const text = await cli(kept);
    expect(text.stdout).toMatch(/geometric mean/);
    expect(text.stdout).toMatch(/not met/);
  });

  it.each([
    [['--tasks', 'mnist-cnn'], /--tasks: expected some of deep-relu, .*, got mnist-cnn/],
    [['--baselines', 'rmsprop'], /--baselines: expected adam among them, got rmsprop/],
    [['--baselines', 'adamw'], /--baselines: expected some of adam, momentum, rmsprop, got adamw/],
    [['--initial-rates', '1e-3,0'], /number above 0/],
    [['--baselines-only'], /--baselines-only: expected --cache FILE/],
    [['--expect-median', '1'], /--expect-median: the suite networks does not take it/],
  ])('%j is a wrong command line', async (args, message) => {
    const { code, stdout, stderr } = await cli([...short, ...args]);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('says what to do where MNIST cannot be had', async () => {
    const args = [...short.map((arg) => (arg === 'autoencoder' ? 'mnist-conv' : arg)), '--data-dir', folder];
    const { code, stderr } = await cli(args, { LEARNED_OPTIMIZER_MIRRORS: 'http://127.0.0.1:9/' });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/--data-dir: mnist-conv need the 10,000 images/)]);
  });

  it('options of one suite are refused by another', async () => {
    const { code, stderr } = await cli(['evaluate', '--cache', join(folder, 'x.json')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--cache: the suite digits does not take it/);
    expect(existsSync(join(folder, 'x.json'))).toBe(false);
  });
});
