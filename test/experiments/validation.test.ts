import { describe, expect, it } from 'vitest';
import { NETWORK_TASKS } from '../../lib/experiments/tasks/networkTasks';
import { VALIDATION_TASKS } from '../../lib/experiments/tasks/validationTasks';
import { runScore, validate, VALIDATION_RATES } from '../../lib/experiments/validation';
import { loadWeights } from '../../lib/optimizer/presets';

const run = { initialLoss: 2, meanLogLoss: 0, lateChange: 0 };
const weights = loadWeights('prototype');
const robust = VALIDATION_TASKS.filter(({ name }) => name === 'robust-regression');
const short = [
  { ...robust[0], steps: 100 },
  { ...VALIDATION_TASKS[0], steps: 100 },
];

describe('runScore', () => {
  it('is the logarithm of the final loss, with a floor', () => {
    expect(runScore({ ...run, finalLoss: 1e-3, outcome: 'trained' })).toBeCloseTo(-3, 12);
    expect(runScore({ ...run, finalLoss: 0, outcome: 'trained' })).toBe(-8);
  });

  it('is worse for a stuck run than for any trained one, and worse still for a diverged one', () => {
    expect(runScore({ ...run, finalLoss: 1.5, outcome: 'stuck' })).toBeCloseTo(Math.log10(150), 12);
    const diverged = runScore({ ...run, finalLoss: Infinity, outcome: 'diverged' });
    expect(diverged).toBeCloseTo(Math.log10(2000), 12);
    expect(runScore({ ...run, finalLoss: 1e30, outcome: 'diverged' })).toBe(diverged);
  });
});

describe('validate', { timeout: 60_000 }, () => {
  it('is the mean over tasks of the mean over rates and seeds, the same every time', async () => {
    const seen: string[] = [];
    const first = await validate(weights, {
      tasks: short,
      onProgress: ({ run, done, total }) => seen.push(`${run} ${done}/${total}`),
    });
    expect(first.rows).toHaveLength(2 * VALIDATION_RATES.length * 2);
    expect(seen[seen.length - 1]).toBe('digits-relu, rate 0.1, seed 1 12/12');
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const scores = short.map(({ name }) =>
      mean(first.rows.filter(({ task }) => task === name).map(({ score }) => score)),
    );
    expect(first.score).toBeCloseTo(mean(scores), 12);
    expect(Object.values(first.tasks)).toEqual(scores);
    expect(await validate(weights, { tasks: short })).toEqual(first);
    expect(await validate(weights, { tasks: short, threads: 2 })).toEqual(first);
  });

  it('gives rates that the weights hold to the same one the same run', async () => {
    const metadata = { ...weights.metadata, initialLearningRateRange: [1e-4, 1e-3] as const };
    const held = await validate({ ...weights, metadata }, { tasks: short, seeds: [0], initialRates: [1e-3, 0.1] });
    const free = await validate(weights, { tasks: short, seeds: [0], initialRates: [1e-3, 0.1] });
    expect(held.rows.map(({ initialRate }) => initialRate)).toEqual([1e-3, 0.1, 1e-3, 0.1]);
    const losses = ({ rows }: typeof held): number[] => rows.map(({ finalLoss }) => finalLoss);
    expect(losses(held)).toEqual([0, 0, 2, 2].map((i) => losses(free)[i]));
    expect(losses(free)[1]).not.toBe(losses(free)[0]);
  });

  it('stops when told to and refuses empty lists', async () => {
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(validate(weights, { tasks: short, signal })).rejects.toThrow('stop');
    await expect(validate(weights, { seeds: [] })).rejects.toThrow('seeds: expected at least one, got none');
  });
});

describe('the two suites', () => {
  it('have no task in common', () => {
    const titles = [...NETWORK_TASKS, ...VALIDATION_TASKS].flatMap(({ name, title }) => [name, title]);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it('are as long as announced: eight networks of 2,000 steps, one of them 20,000; thirteen small ones without data to load', () => {
    expect(NETWORK_TASKS).toHaveLength(8);
    expect(NETWORK_TASKS.filter(({ steps }) => steps === 2000)).toHaveLength(7);
    expect(NETWORK_TASKS.filter(({ steps }) => steps === 20_000).map(({ name }) => name)).toEqual(['digits-tanh']);
    expect(VALIDATION_TASKS).toHaveLength(13);
    expect(VALIDATION_TASKS.every(({ data }) => data !== 'mnist')).toBe(true);
  });
});
