import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { areWorse, fallScore, networkScore } from '../../lib/experiments/ablation/scores';
import { ablationConfig, VARIANTS } from '../../lib/experiments/ablation/variants';
import { createAblation } from '../../lib/experiments/experiment/experiments/ablation';
import type { ExperimentDocument } from '../../lib/experiments/experiment/folder';
import type { DotPlotPart, TablePart } from '../../lib/experiments/experiment/result';
import { runExperiments, type ExperimentsOptions } from '../../lib/experiments/experiment/runExperiments';
import type { RunMetrics } from '../../lib/experiments/metrics';
import { DEFAULT_META_TRAINING, totalIterations, validateMetaTrainingConfig } from '../../lib/meta/config';
import { RUN_FILES } from '../../lib/meta/runFolder';
import { loadWeights } from '../../lib/optimizer/presets';
import { readWeights } from '../../lib/optimizer/weights';

const folder = mkdtempSync(join(tmpdir(), 'ablation-'));
afterAll(() => rmSync(folder, { recursive: true }));

const variant = (name: string) => VARIANTS.find((of) => of.name === name)!;
/** One iteration of each phase. */
const BUDGET = { share: 1e-4, metaSeeds: 2, seeds: [0] };

const options = (out: string, change: Partial<ExperimentsOptions> = {}): ExperimentsOptions => ({
  experiments: [createAblation([variant('fixed-rate')], { full: BUDGET, quick: BUDGET })],
  weights: loadWeights('hrnn-3'),
  effort: { quick: true, steps: 30 },
  resultsDir: folder,
  // Starting threads is what takes time.
  threads: 1,
  out: join(folder, out),
  pictures: false,
  skipMissing: false,
  provenance: () => ({ command: 'x', version: 'x', weights: 'hrnn-3', machine: 'x' }),
  ...change,
});
const text = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
const documentOf = (out: string): ExperimentDocument =>
  JSON.parse(text(out, 'ablation', 'data.json')) as ExperimentDocument;
const runsOf = (out: string): string => join(folder, out, 'runs', 'meta-training');

describe('the variants', () => {
  it.each(VARIANTS)('$name: has a valid configuration that differs from the full one', (of) => {
    const [own, full] = [of, undefined].map((one) => validateMetaTrainingConfig(ablationConfig(one, 3, 0.25)));
    const bare = ({ name: _, description: __, ...rest }: typeof own): unknown => rest;
    expect(bare(own)).not.toEqual(bare(full));
    // The same budget.
    expect([own.seed, totalIterations(own)]).toEqual([3, totalIterations(DEFAULT_META_TRAINING) / 4]);
    expect(own.phases.map(({ estimator }) => estimator.truncation)).toEqual(
      full.phases.map(({ estimator }) => estimator.truncation),
    );
  });

  it('the full one is the recipe of the shipped weights', () => {
    const { name: _, description: __, ...full } = ablationConfig(undefined, DEFAULT_META_TRAINING.seed, 1);
    const { name: ___, description: ____, ...shipped } = DEFAULT_META_TRAINING;
    expect(full).toEqual(shipped);
  });

  it('have names of their own', () => {
    expect(new Set(VARIANTS.map(({ name }) => name)).size).toBe(VARIANTS.length);
  });
});

describe('scores', () => {
  const run = (initialLoss: number, finalLoss: number, outcome: RunMetrics['outcome'] = 'trained'): RunMetrics => ({
    ...{ initialLoss, finalLoss, outcome },
    meanLogLoss: 0,
    lateChange: 0,
  });

  it('are decades of the loss, with penalties', () => {
    expect(networkScore([run(1, 0.1), run(1, 0.001)])).toBeCloseTo(-2, 12);
    expect(networkScore([run(1, 0.6, 'stuck')])).toBeCloseTo(Math.log10(0.6) + 2, 12);
    expect(fallScore([run(100, 1), run(1e-4, 1e-8)])).toBeCloseTo(-3, 12);
    expect(fallScore([run(1, 0)])).toBeCloseTo(-8, 12);
    expect(fallScore([run(1, Infinity, 'diverged')])).toBe(3);
  });

  it('are worse only where they do not overlap', () => {
    expect(areWorse([2, 3], [0, 1])).toBe(true);
    expect(areWorse([0, 1], [2, 3])).toBe(false);
    expect(areWorse([0, 2], [1, 3])).toBeNull();
    expect(areWorse([2], [1])).toBeNull();
  });
});

describe('the experiment', { timeout: 120_000 }, () => {
  it('meta-trains every variant with every seed, each as the variant says', async () => {
    await runExperiments(options('whole'));
    const weights = readdirSync(runsOf('whole')).map((name) =>
      readWeights(join(runsOf('whole'), name, RUN_FILES.final)),
    );
    expect(weights.map(({ metadata }) => metadata.name).sort()).toEqual(
      ['fixed-rate', 'full'].flatMap((name) => [0, 1].map((seed) => `ablation-${name}-${seed}`)),
    );
    for (const { metadata, tensors } of weights) {
      const head = tensors.get('parameter.learningRate.readout')!;
      expect(head.every((value) => value === 0)).toBe(metadata.name.includes('fixed-rate'));
    }
    const { parts, makesWeights } = documentOf('whole');
    expect(makesWeights).toBe(true);
    const [networks] = parts as [DotPlotPart];
    expect(networks.rows.map(({ name, values }) => [name, values.length])).toEqual([
      ['full optimizer', 2],
      ['rate not learned', 2],
    ]);
    // The full optimizer's mean is zero, and seeds and variants differ.
    expect(networks.rows[0].values[0]! + networks.rows[0].values[1]!).toBeCloseTo(0, 9);
    expect(new Set(networks.rows.flatMap(({ values }) => values)).size).toBe(4);
    const table = parts.find((part): part is TablePart => part.name === 'scores')!;
    expect(table.rows.map((row) => row[0])).toEqual(networks.rows.map(({ name }) => name));
  });

  it('goes on after an interruption, with the same numbers, and keeps what is meta-trained', async () => {
    // One seed of meta-training is enough here. In the folder of before it is there already.
    const one = { effort: { quick: true, steps: 30, seeds: 1 } };
    await runExperiments(options('whole', one));
    const controller = new AbortController();
    const stopped = runExperiments(
      options('stopped', {
        ...one,
        signal: controller.signal,
        onProgress: (_, { run }) => {
          if (run === 'meta-training, rate not learned, seed 0') controller.abort(new Error('enough'));
        },
      }),
    );
    await expect(stopped).rejects.toThrow('enough');
    const finished = (): string[] =>
      readdirSync(runsOf('stopped')).filter((name) =>
        readdirSync(join(runsOf('stopped'), name)).includes(RUN_FILES.final),
      );
    const kept = finished();
    expect(kept).toHaveLength(1);
    const times = kept.map((name) => statSync(join(runsOf('stopped'), name, RUN_FILES.final)).mtimeMs);
    await runExperiments(options('stopped', one));
    expect(finished()).toHaveLength(2);
    expect(kept.map((name) => statSync(join(runsOf('stopped'), name, RUN_FILES.final)).mtimeMs)).toEqual(times);
    expect(text('stopped', 'ablation', 'data.csv')).toBe(text('whole', 'ablation', 'data.csv'));
    expect(documentOf('stopped').findings).toEqual(documentOf('whole').findings);
  });

  it('draws its dots, and says in the report whose weights they are', async () => {
    await runExperiments(options('whole', { pictures: true }));
    const svg = text('whole', 'ablation', 'difference-networks.svg');
    for (const shown of ['rate not learned', 'QUICK LOOK', 'decades of loss']) expect(svg).toContain(shown);
    const html = text('whole', 'index.html');
    expect(html).toContain('difference-networks.png');
    expect(html).not.toContain('<dt>Weights</dt>');
    expect(html).toContain('<dt>Seeds of meta-training</dt><dd>0, 1</dd>');
  });
});
