import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadDigits } from '../../lib/datasets/digits';
import {
  learned,
  learnedFromAnyRate,
  learnedWithoutAnnealing,
  planOf,
  TUNED,
} from '../../lib/experiments/experiment/contestants';
import { completeLosses, curveMetrics, evaluationSteps } from '../../lib/experiments/experiment/curve';
import { CurveCache } from '../../lib/experiments/experiment/curveCache';
import { CurveRunner, StepCounter, tunedRuns, type CurveTask } from '../../lib/experiments/experiment/curveRunner';
import { VALIDATION_TASKS } from '../../lib/experiments/tasks/validationTasks';
import { train } from '../../lib/experiments/training';
import { loadWeights } from '../../lib/optimizer/presets';

const folder = mkdtempSync(join(tmpdir(), 'curves-'));
afterAll(() => rmSync(folder, { recursive: true }));

const weights = loadWeights('hrnn-3');
const relu = VALIDATION_TASKS.find(({ name }) => name === 'digits-relu')!;
const problem = relu.problem({ digits: loadDigits() });
const task: CurveTask = { ...relu, steps: 6, evaluateEvery: 4, problem: () => problem, accuracy: () => 0.75 };
const plan = { ...planOf({ quick: true, seeds: 2 }), rates: [0.01, 0.1] };
const [adam, , , plainSgd] = TUNED;

const runnerWith = (cache: CurveCache, signal?: AbortSignal, onStep?: (done: number) => void) =>
  new CurveRunner(task, { cache, signal }, new StepCounter(1e6, ({ done }) => onStep?.(done)));

describe('curves', () => {
  it('are what training gives, to five digits', async () => {
    const { curves, metrics } = await runnerWith(new CurveCache()).curves(adam, 0.01, [3]);
    const { losses } = await train(problem, adam.make(0.01), { ...task, seed: 3 });
    expect(evaluationSteps(task)).toEqual(losses.map(({ step }) => step));
    expect(curves[0].losses).toEqual(losses.map(({ loss }) => Number(loss.toPrecision(5))));
    expect(curves[0].accuracy).toBe(0.75);
    expect(metrics[0]).toEqual(curveMetrics(curves[0], task));
  });

  it('are infinite from a divergence on', async () => {
    const { curves, metrics } = await runnerWith(new CurveCache()).curves(plainSgd, 1e30, [0]);
    expect(curves[0].losses[1]).toBe(Infinity);
    expect(completeLosses(curves[0], task)).toEqual([curves[0].losses[0], Infinity, Infinity]);
    expect(metrics[0].outcome).toBe('diverged');
  });

  it('of an optimizer are tuned on other seeds than those reported', async () => {
    let runs = 0;
    const cache = new CurveCache();
    const counting = { ...adam, make: (rate: number) => (runs++, adam.make(rate)) };
    const tuned = await runnerWith(cache).tuned(counting, plan);
    expect(tuned.curves).toHaveLength(2);
    expect(runs).toBe(tunedRuns(plan));
    const tuning = await runnerWith(cache).curves(adam, tuned.rate, plan.tuningSeeds);
    const other = await runnerWith(cache).curves(
      adam,
      plan.rates.find((rate) => rate !== tuned.rate)!,
      plan.tuningSeeds,
    );
    expect(tuning.metrics[0].finalLoss).toBeLessThanOrEqual(other.metrics[0].finalLoss);
  });

  it('from rates that the weights hold at the same one are one run', async () => {
    const cache = new CurveCache();
    const lowest = await runnerWith(cache).curves(learned(weights), 1e-6, [0]);
    expect((await runnerWith(cache).curves(learned(weights), 1e-4, [0])).curves[0]).toBe(lowest.curves[0]);
    const free = await runnerWith(cache).curves(learnedFromAnyRate(weights), 1e-6, [0]);
    expect(free.curves[0].losses).not.toEqual(lowest.curves[0].losses);
    expect(learnedWithoutAnnealing(weights).name).not.toBe(learned(weights).name);
  });
});

describe('the cache of curves', () => {
  it('lets an interrupted experiment go on without training again, and ends with the same file', async () => {
    const whole = join(folder, 'whole');
    const parts = join(folder, 'parts');
    const all = new CurveCache(whole);
    const expected = await runnerWith(all).tuned(adam, plan);
    all.save();

    const controller = new AbortController();
    const cache = new CurveCache(parts);
    const interrupted = runnerWith(cache, controller.signal, (done) => {
      if (done > 2 * task.steps) controller.abort(new Error('enough'));
    }).tuned(adam, plan);
    await expect(interrupted).rejects.toThrow('enough');
    cache.save();

    let trained = 0;
    const counting = { ...adam, make: (rate: number) => (trained++, adam.make(rate)) };
    const resumed = new CurveCache(parts);
    const result = await runnerWith(resumed).tuned(counting, plan);
    resumed.save();
    expect(trained).toBe(tunedRuns(plan) - 2);
    const losses = ({ curves }: typeof result): unknown => curves.map(({ losses: of }) => of);
    expect(losses(result)).toEqual(losses(expected));
    const keys = (dir: string): string[] =>
      Object.keys((JSON.parse(readFileSync(join(dir, 'digits-relu.json'), 'utf8')) as { runs: object }).runs);
    expect(keys(parts)).toEqual(keys(whole));
  });

  it('keeps what another process has written meanwhile, and writes whole files only', () => {
    const dir = join(folder, 'shared');
    const key = { task: 'a', fingerprint: 'f', optimizer: 'o', rate: 0.1, seed: 0, steps: 1 };
    const curve = { losses: [1, Infinity], accuracy: null, seconds: 0.1234567 };
    const [one, two] = [new CurveCache(dir), new CurveCache(dir)];
    one.add(key, curve);
    two.get({ ...key, seed: 1 });
    one.add({ ...key, seed: 2 }, curve);
    two.add({ ...key, seed: 1 }, curve);
    one.save();
    two.save();
    const again = new CurveCache(dir);
    expect([0, 1, 2].map((seed) => again.get({ ...key, seed })?.losses)).toEqual([0, 1, 2].map(() => [1, Infinity]));
    expect(again.get({ ...key, rate: 0.2 })).toBeUndefined();
    expect(readdirSync(dir)).toEqual(['a.json']);
  });

  it('names a file that holds something else', () => {
    const dir = join(folder, 'wrong');
    const cache = new CurveCache(dir);
    cache.add(
      { task: 't', fingerprint: 'f', optimizer: 'o', rate: 1, seed: 0, steps: 1 },
      {
        losses: [1],
        accuracy: null,
        seconds: 1,
      },
    );
    cache.save();
    writeFileSync(join(dir, 't.json'), '{"format": "learned-optimizer-curves", "runs": {"f o 1 0 1": [1]}}');
    const get = () =>
      new CurveCache(dir).get({ task: 't', fingerprint: 'f', optimizer: 'o', rate: 1, seed: 0, steps: 1 });
    expect(get).toThrow(/t\.json: f o 1 0 1: expected \[losses, accuracy, seconds\]/);
    writeFileSync(join(dir, 't.json'), 'half a');
    expect(get).toThrow(/t\.json: expected JSON of runs.*remove it/);
  });
});
