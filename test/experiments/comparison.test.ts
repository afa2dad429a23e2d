import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadDigits } from '../../lib/datasets/digits';
import { compare, ratioOf, summarise, type Comparison, type RateRuns } from '../../lib/experiments/comparison/compare';
import { BASELINES, learnedContestant, TUNED_RATES } from '../../lib/experiments/comparison/contestants';
import { criteria } from '../../lib/experiments/comparison/criteria';
import { RunCache } from '../../lib/experiments/comparison/runCache';
import { runsCsv } from '../../lib/experiments/comparison/tables';
import { tuneRate, TUNING_SEEDS } from '../../lib/experiments/comparison/tuning';
import type { RunMetrics } from '../../lib/experiments/metrics';
import { NETWORK_TASKS } from '../../lib/experiments/tasks/networkTasks';
import { loadWeights } from '../../lib/optimizer/presets';

const folder = mkdtempSync(join(tmpdir(), 'comparison-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (finalLoss: number, rest: Partial<RunMetrics> = {}): RunMetrics => ({
  initialLoss: 2,
  finalLoss,
  meanLogLoss: Math.log(finalLoss / 2) / 2,
  lateChange: -0.1,
  outcome: 'trained',
  ...rest,
});
const at = (rate: number, ...losses: number[]): RateRuns => ({ rate, runs: losses.map((loss) => run(loss)) });

describe('tuneRate', () => {
  it('tries every rate with the first seed and the best three with the others', async () => {
    const asked: string[] = [];
    // The rate that is best on the first seed is worst on the others.
    const losses = new Map([
      [0.1, [0.1, 9, 9]],
      [0.2, [0.2, 0.2, 0.2]],
      [0.3, [0.3, 0.1, 0.1]],
      [0.4, [0.4, 0.01, 0.01]],
    ]);
    const runner = {
      runs: (_: unknown, rate: number, seeds: readonly number[]) => {
        asked.push(`${rate}: ${seeds.join()}`);
        return Promise.resolve(seeds.map((seed) => run(losses.get(rate)![TUNING_SEEDS.indexOf(seed)])));
      },
    };
    expect(await tuneRate(runner, BASELINES[0], [...losses.keys()])).toBe(0.3);
    expect(asked).toEqual([
      '0.1: 100',
      '0.2: 100',
      '0.3: 100',
      '0.4: 100',
      '0.1: 101,102',
      '0.2: 101,102',
      '0.3: 101,102',
    ]);
  });

  it('never chooses a rate that diverged on a seed', async () => {
    const runner = {
      runs: (_: unknown, rate: number, seeds: readonly number[]) =>
        Promise.resolve(
          seeds.map((seed) => run(rate, { outcome: rate < 0.2 && seed === 102 ? 'diverged' : 'trained' })),
        ),
    };
    expect(await tuneRate(runner, BASELINES[0], [0.1, 0.2, 0.3])).toBe(0.2);
  });

  it('has half-decades from 1e-4 to 1', () => {
    expect(TUNED_RATES.map((rate) => rate.toPrecision(3))).toEqual([
      '0.000100',
      '0.000316',
      '0.00100',
      '0.00316',
      '0.0100',
      '0.0316',
      '0.100',
      '0.316',
      '1.00',
    ]);
  });
});

describe('ratioOf', () => {
  it('is the geometric mean of the ratios seed by seed, with the worst seed', () => {
    const ratio = ratioOf(at(1, 1, 4, 1), at(1, 2, 1, 2), [0, 1, 2]);
    expect(ratio.mean).toBeCloseTo(1, 12);
    expect(ratio).toMatchObject({ lowest: 0.5, highest: 4, worstSeed: 1 });
  });

  it('is infinite where only the learned optimizer diverged', () => {
    expect(ratioOf(at(1, Infinity, 1), at(1, 1, 1), [5, 6])).toMatchObject({ mean: Infinity, worstSeed: 5 });
  });
});

/** Two tasks of which the second is long. */
function comparison(change: { learned?: RateRuns; others?: RateRuns[] } = {}): Comparison {
  const baseline = (name: string, tuned: number) => ({
    name,
    title: name,
    tuned: at(0.1, tuned, tuned),
    customary: at(1e-3, 1, 1),
  });
  const baselines = [baseline('adam', 0.02), baseline('sgd', 0.01)];
  const tasks = [2000, 20_000].map((steps) =>
    summarise(
      { name: `task-${steps}`, title: '' },
      steps,
      [0, 1],
      change.learned ?? at(1e-3, 0.008, 0.008),
      change.others ?? [at(1e-6, 0.009, 0.009)],
      baselines,
    ),
  );
  return { weights: 'w', seeds: [0, 1], tasks, ratioToBest: tasks[0].ratioToBest.mean };
}

const judged = (value: Comparison): Record<string, boolean> =>
  Object.fromEntries(criteria(value).map(({ name, met }) => [name, met]));

describe('criteria', () => {
  it('are met by weights that are better everywhere', () => {
    const value = comparison();
    expect(value.tasks[0].best.name).toBe('sgd');
    expect(value.ratioToBest).toBeCloseTo(0.8, 12);
    expect(Object.values(judged(value))).toEqual([true, true, true, true, true, true]);
  });

  it('one stuck run from one other rate makes weights unreliable', () => {
    const stuck = { rate: 0.1, runs: [run(0.008), run(1.5, { outcome: 'stuck' })] };
    const value = comparison({ others: [at(1e-6, 0.009, 0.009), stuck] });
    expect(judged(value)).toMatchObject({ reliable: false, 'final loss': true, 'initial rate': true });
    expect(criteria(value)[0].measured).toContain('2 stuck, 0 diverged of 12 (task-2000 stuck from 0.1, seed 1');
  });

  it('a final loss above the best tuned baseline, though below tuned Adam, is missed', () => {
    expect(judged(comparison({ learned: at(1e-3, 0.015, 0.015) }))).toMatchObject({
      'final loss': false,
      'mean log loss': true,
      'untuned Adam': true,
    });
  });

  it('a mean log loss more than 10 % worse from a rate up to 1e-2 is missed, beyond 1e-2 it is not', () => {
    const slow = (rate: number): RateRuns => ({ rate, runs: [0, 1].map(() => run(0.008, { meanLogLoss: -2 })) });
    expect(judged(comparison({ others: [slow(1e-2)] }))['initial rate']).toBe(false);
    expect(judged(comparison({ others: [at(1e-4, 0.008, 0.008), slow(1e-1)] }))['initial rate']).toBe(true);
    expect(judged(comparison({ others: [] }))['initial rate']).toBe(false);
  });

  it('a late rise in a long run is missed, unless the loss is at the floor', () => {
    const rising = (finalLoss: number): RateRuns => ({
      rate: 1e-3,
      runs: [0, 1].map(() => run(finalLoss, { lateChange: 0.1 })),
    });
    expect(judged(comparison({ learned: rising(0.008) }))['long run']).toBe(false);
    expect(judged(comparison({ learned: rising(1e-7) }))['long run']).toBe(true);
  });
});

describe('compare', { timeout: 60_000 }, () => {
  const task = { ...NETWORK_TASKS[0], steps: 20, evaluateEvery: 5 };
  const weights = loadWeights('prototype');
  const options = {
    tasks: [task],
    data: { digits: loadDigits() },
    seeds: [0, 1],
    initialRates: [1e-2],
    baselines: BASELINES.slice(0, 2),
    tunedRates: [1e-3, 1e-2],
  };

  it('goes on where it was interrupted and ends with the same numbers', async () => {
    const path = join(folder, 'runs.json');
    const controller = new AbortController();
    let total = 0;
    const first = compare(weights, {
      ...options,
      cache: new RunCache(path),
      signal: controller.signal,
      onProgress: ({ done, total: all }) => {
        total = all;
        if (done > all / 2) controller.abort(new Error('enough'));
      },
    });
    await expect(first).rejects.toThrow('enough');
    const resumed = new RunCache(path);
    // 2 baselines × (2 rates + 2 × 2 more seeds + 2 × 2 reported) + 2 rates × 2 seeds of the learned one, 20 steps each
    expect(total).toBe(20 * (2 * (2 + 4 + 4) + 4));
    expect(resumed.size).toBeGreaterThan(3);
    const steps: number[] = [];
    const second = await compare(weights, {
      ...options,
      cache: resumed,
      onProgress: ({ done }) => steps.push(done),
    });
    expect(steps[steps.length - 1]).toBe(total);
    const whole = await compare(weights, { ...options, cache: new RunCache() });
    expect(second).toEqual(whole);
    expect(whole.tasks[0].baselines.map(({ name }) => name)).toEqual(['adam', 'momentum']);
    expect(whole.tasks[0].learned.rate).toBe(weights.metadata.initialLearningRate);
    const csv = runsCsv(whole).trim().split('\n');
    expect(csv).toHaveLength(1 + 2 * 4 + 4);
    expect(csv[1].split(',')).toHaveLength(csv[0].split(',').length);
  });

  it('names the learned optimizer by its weights', () => {
    const changed = {
      ...weights,
      tensors: new Map([...weights.tensors].map(([name, data]) => [name, data.map((v) => v + 1e-3)])),
    };
    expect(learnedContestant(weights).name).toMatch(/^learned-[0-9a-f]{12}$/);
    expect(learnedContestant({ ...weights, metadata: { ...weights.metadata, name: 'other' } }).name).toBe(
      learnedContestant(weights).name,
    );
    expect(learnedContestant(changed).name).not.toBe(learnedContestant(weights).name);
    const warm = { ...weights, metadata: { ...weights.metadata, warmup: { steps: 7, from: 0.5 } } };
    expect(learnedContestant(warm).name).not.toBe(learnedContestant(weights).name);
    const unscaled = { ...weights, architecture: { ...weights.architecture, inputScaling: false } };
    expect(learnedContestant(unscaled).name).not.toBe(learnedContestant(weights).name);
    // Runs in caches go by it.
    expect(learnedContestant(loadWeights('hrnn-3')).name).toBe('learned-e2db1a045ea5');
  });
});
