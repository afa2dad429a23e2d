import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  contenderName,
  curvesCsv,
  isSame,
  readComparison,
  writeComparison,
} from '../../../examples/imagenet/comparison/records';
import type { Comparison, Contender, RunRecord, Settings } from '../../../examples/imagenet/comparison/records';
import { chartsOf, summaries } from '../../../examples/imagenet/comparison/report';
import { contendersOf, makeRuns } from '../../../examples/imagenet/comparison/runs';
import type { Tools } from '../../../examples/imagenet/comparison/runs';

const dir = mkdtempSync(join(tmpdir(), 'imagenet-comparison-'));
afterAll(() => rmSync(dir, { recursive: true }));

const SETTINGS: Settings = {
  steps: 4,
  batchSize: 2,
  size: 32,
  seed: 1,
  evaluationImages: 2,
  preset: 'hrnn-3',
  data: 'abc',
};
const [LEARNED, ADAM, FAST_ADAM] = contendersOf(['tiny-resnetv2'], [1e-4, 1e-2]);

const record = (contender: Contender, values: Partial<RunRecord> = {}): RunRecord => ({
  ...contender,
  parameters: 10,
  losses: [2, 1.5, 1, 0.5],
  stepMs: [900, 20, 10, 12],
  divergedAt: null,
  evaluation: { loss: 0.7, top1: 0.5, top5: 1, images: 2 },
  peakGiB: 1,
  backend: 'b',
  machine: 'm',
  ...values,
});
const DIVERGED = record(FAST_ADAM, { losses: [2, NaN], stepMs: [9, 8], divergedAt: 2, evaluation: null });

/** Tools whose runs are finished at once. */
function stub(fail: (contender: Contender) => Error | undefined = () => undefined) {
  const made: Contender[] = [];
  const saved: Comparison[] = [];
  const tools: Tools = {
    say: () => {},
    onStep: () => {},
    save: (comparison) => saved.push(comparison),
    async run(contender) {
      const error = fail(contender);
      if (error) throw error;
      made.push(contender);
      return record(contender);
    },
  };
  return { tools, made, saved };
}

describe('runs of a comparison', () => {
  it('are the learned optimizer and Adam at every rate, for each network', () => {
    const names = contendersOf(['resnet50v2', 'inceptionv3'], [1e-4, 1e-3]).map(Object.values);
    expect(names).toEqual([
      ['resnet50v2', 'learned', null],
      ['resnet50v2', 'adam', 1e-4],
      ['resnet50v2', 'adam', 1e-3],
      ['inceptionv3', 'learned', null],
      ['inceptionv3', 'adam', 1e-4],
      ['inceptionv3', 'adam', 1e-3],
    ]);
  });

  it('have the learned optimizer once more for each multiplier', () => {
    const contenders = contendersOf(['resnet50v2'], [1e-4], [0.1, 0.03]);
    expect(contenders.map(contenderName)).toEqual(['learned', 'learned ×0.1', 'learned ×0.03', 'adam 1e-4']);
    expect(contenders.map((contender) => contenders.filter((other) => isSame(contender, other)).length)).toEqual([
      1, 1, 1, 1,
    ]);
  });

  it('that are finished are not made again', async () => {
    const { tools, made } = stub();
    const known = { settings: SETTINGS, runs: [record(LEARNED), DIVERGED] };
    const { runs } = await makeRuns([LEARNED, ADAM, FAST_ADAM], known, tools);
    expect(made).toEqual([ADAM]);
    expect(runs).toHaveLength(3);
  });

  it('are saved one by one, so that a failure keeps those before it', async () => {
    const { tools, saved } = stub((contender) => (contender === FAST_ADAM ? new Error('no memory') : undefined));
    const runs = makeRuns([LEARNED, ADAM, FAST_ADAM], { settings: SETTINGS, runs: [] }, tools);
    await expect(runs).rejects.toThrow('no memory');
    expect(saved.map((comparison) => comparison.runs.length)).toEqual([1, 2]);
  });
});

describe('data of a comparison', () => {
  const comparison = { settings: SETTINGS, runs: [record(LEARNED), DIVERGED] };

  it('come back from their folder, the loss of a diverged run as NaN', () => {
    writeComparison(join(dir, 'whole'), comparison);
    expect(readComparison(join(dir, 'whole'), SETTINGS)).toEqual(comparison);
  });

  it('are a line for each step as CSV, without a loss where it is not finite', () => {
    const slow = { ...record({ ...LEARNED, multiplier: 0.1 }), losses: [2], stepMs: [30] };
    expect(
      curvesCsv({ ...comparison, runs: [...comparison.runs, slow] })
        .split('\n')
        .slice(0, -1),
    ).toEqual([
      'network,optimizer,learning_rate,multiplier,step,loss,step_ms',
      'tiny-resnetv2,learned,,,1,2,900',
      'tiny-resnetv2,learned,,,2,1.5,20',
      'tiny-resnetv2,learned,,,3,1,10',
      'tiny-resnetv2,learned,,,4,0.5,12',
      'tiny-resnetv2,adam,0.01,,1,2,9',
      'tiny-resnetv2,adam,0.01,,2,,8',
      'tiny-resnetv2,learned,,0.1,1,2,30',
    ]);
    expect(existsSync(join(dir, 'whole', 'curves.csv'))).toBe(true);
    expect(readFileSync(join(dir, 'whole', 'runs.json'), 'utf8').split('\n')).toHaveLength(8);
  });

  it('of other settings are refused, naming the setting', () => {
    expect(() => readComparison(join(dir, 'whole'), { ...SETTINGS, batchSize: 16 })).toThrow(
      /runs\.json: expected batchSize 16, got 2; .*--out/,
    );
  });
});

describe('the report of a comparison', () => {
  const comparison = {
    settings: SETTINGS,
    runs: [record(LEARNED), record(ADAM), record({ ...ADAM, learningRate: 1e-3 }, { losses: [1, 1] }), DIVERGED],
  };

  it('calls the rate with the lowest training loss the best, and gives a diverged run no figures', () => {
    expect(summaries(comparison)).toMatchObject([
      { contender: 'learned', trainingLoss: 1.25, accuracy: 0.5, bestAdam: false },
      { contender: 'adam 1e-4', trainingLoss: 1.25, bestAdam: false },
      { contender: 'adam 0.001', trainingLoss: 1, bestAdam: true },
      { contender: 'adam 0.01', trainingLoss: NaN, heldOutLoss: NaN, accuracy: NaN, bestAdam: false, divergedAt: 2 },
    ]);
  });

  it('draws the loss of every run, and step times without those that only have another multiplier', () => {
    const slow = record({ ...LEARNED, multiplier: 0.1 });
    const charts = chartsOf('tiny-resnetv2', { settings: SETTINGS, runs: [record(LEARNED), slow, record(ADAM)] });
    const named = ({ series }: (typeof charts)[string]): string[] => series.map(({ name }) => name);
    expect(named(charts.loss)).toEqual(['learned', 'learned ×0.1', 'adam 1e-4']);
    expect(named(charts['step-time'])).toEqual(['learned', 'adam 1e-4']);
    expect(new Set(charts.loss.series.map(({ style }) => JSON.stringify(style))).size).toBe(3);
  });

  it('leaves the first steps out of the time of a step', () => {
    expect(summaries(comparison)[0].stepMs).toBe(12);
  });

  it('draws loss and time against the step, long runs as means of equal stretches', () => {
    const losses = Array.from({ length: 200 }, (_, i) => i);
    const long = { settings: { ...SETTINGS, steps: 200 }, runs: [record(LEARNED, { losses, stepMs: losses })] };
    const { loss, 'step-time': time } = chartsOf('tiny-resnetv2', long);
    expect(loss.series[0].points).toHaveLength(100);
    expect(loss.series[0].points.slice(0, 2)).toEqual([
      { x: 2, y: 0.5 },
      { x: 4, y: 2.5 },
    ]);
    expect(time.series[0].points[0]).toEqual({ x: 4, y: 2.5 });
    expect(loss.subtitle).toContain('mean of every 2 steps');
  });
});
