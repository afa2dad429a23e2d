import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { legendColumns, lineChart } from '../../lib/experiments/experiment/charts';
import { MissingMeasurementsError } from '../../lib/experiments/experiment/experiment';
import type { ExperimentDocument } from '../../lib/experiments/experiment/folder';
import { corpus } from '../../lib/experiments/experiment/experiments/corpus';
import {
  earlierLearnedOptimizer,
  trainings,
} from '../../lib/experiments/experiment/experiments/earlierLearnedOptimizer';
import { horizon } from '../../lib/experiments/experiment/experiments/horizon';
import { imagenetScale } from '../../lib/experiments/experiment/experiments/imagenetScale';
import { wallClock } from '../../lib/experiments/experiment/experiments/wallClock';
import { heldOutImages } from '../../lib/experiments/experiment/heldOutImages';
import { EXPERIMENTS } from '../../lib/experiments/experiment/registry';
import type { ChartPart, TablePart } from '../../lib/experiments/experiment/result';
import { runExperiments, type ExperimentsOptions } from '../../lib/experiments/experiment/runExperiments';
import { loadWeights } from '../../lib/optimizer/presets';
import { packageRoot } from '../../lib/packageRoot';

const folder = mkdtempSync(join(tmpdir(), 'experiment-'));
afterAll(() => rmSync(folder, { recursive: true }));

const options = (out: string, change: Partial<ExperimentsOptions> = {}): ExperimentsOptions => ({
  experiments: [horizon],
  weights: loadWeights('hrnn-3'),
  effort: { quick: true, seeds: 1, steps: 4 },
  resultsDir: join(packageRoot, 'bench', 'results'),
  out: join(folder, out),
  threads: 2,
  pictures: false,
  skipMissing: false,
  provenance: ({ name }) => ({
    command: `npx learned-optimizer experiment ${name} --quick`,
    version: 'learned-optimizer 1',
    weights: 'hrnn-3',
    machine: 'a <machine>',
  }),
  ...change,
});

const text = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
const documentOf = (...path: string[]): ExperimentDocument =>
  JSON.parse(text(...path, 'data.json')) as ExperimentDocument;

describe('an experiment', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await runExperiments(options('whole', { pictures: true }));
  }, 60_000);

  it('writes the same points as JSON and as CSV', () => {
    const { parts } = documentOf('whole', 'horizon');
    const points = parts
      .filter((part): part is ChartPart => part.kind === 'chart')
      .flatMap(({ name, series }) =>
        series.flatMap((of) =>
          of.points.map(({ x, median, low, high, runs }) =>
            [name, of.name, x, median ?? '', low ?? '', high ?? '', runs].join(','),
          ),
        ),
      );
    expect(points.length).toBeGreaterThan(20);
    expect(text('whole', 'horizon', 'data.csv').trim().split('\n')).toEqual([
      'chart,series,x,median,low,high,runs',
      ...points,
    ]);
    const table = parts.find((part): part is TablePart => part.kind === 'table')!;
    const rows = text('whole', 'horizon', `${table.name}.csv`).trim().split('\n');
    expect(rows).toHaveLength(1 + table.rows.length);
    expect(rows[1]).toContain(String(table.rows[0][2]));
  });

  it('draws every chart as SVG and PNG, with named axes, and marks a quick look', () => {
    const charts = documentOf('whole', 'horizon').parts.filter((part): part is ChartPart => part.kind === 'chart');
    for (const { name, x, y } of charts) {
      const svg = text('whole', 'horizon', `${name}.svg`);
      for (const shown of [x.title, y.title, 'learned', 'QUICK LOOK']) expect(svg).toContain(shown);
      const png = readFileSync(join(folder, 'whole', 'horizon', `${name}.png`));
      expect(png.subarray(1, 4).toString()).toBe('PNG');
    }
  });

  it('has a report that says what is claimed, what was run and how to repeat it, and stands alone', () => {
    const html = text('whole', 'index.html');
    const { findings, quick } = documentOf('whole', 'horizon');
    expect(quick).toBe(true);
    expect(html).toContain(horizon.claim);
    expect(html).toContain('npx learned-optimizer experiment horizon --quick');
    expect(html).toContain('Quick look');
    expect(html).toContain('<dt>Seeds reported</dt><dd>0</dd>');
    expect(html).toContain('a &lt;machine&gt;');
    expect(html).toContain('<svg');
    expect(html).toContain(findings[0].measured);
    expect(html).not.toMatch(/(src|href)="(http:|\/)/);
    expect(html).not.toMatch(/src=/);
  });

  it('goes on after an interruption and ends with the same bytes, without training a finished run again', async () => {
    const controller = new AbortController();
    const stopped = runExperiments(
      options('stopped', {
        signal: controller.signal,
        onProgress: (_, { done, total }) => {
          if (done > total / 2) controller.abort(new Error('enough'));
        },
      }),
    );
    await expect(stopped).rejects.toThrow('enough');
    const reports = new Map<string, number>();
    await runExperiments(
      options('stopped', { onProgress: (_, { run }) => reports.set(run, (reports.get(run) ?? 0) + 1) }),
    );
    for (const file of ['data.json', 'data.csv']) {
      expect(text('stopped', 'horizon', file)).toBe(text('whole', 'horizon', file));
    }
    // A run that is kept reports once, one that is trained at every evaluation.
    const kept = [...reports.values()].filter((count) => count === 1).length;
    expect(kept).toBeGreaterThanOrEqual(Math.floor(reports.size / 2));
    expect(kept).toBeLessThan(reports.size);
  });

  it('has findings that are computed: other data give others', async () => {
    await runExperiments(options('longer', { effort: { quick: true, seeds: 1, steps: 8 } }));
    const measured = (path: string): string[] =>
      documentOf(path, 'horizon').findings.map((finding) => finding.measured);
    expect(measured('longer')).not.toEqual(measured('whole'));
  });
});

describe('corpus', { timeout: 60_000 }, () => {
  it('gives a profile over the instances of every kind of problem', async () => {
    await runExperiments(options('corpus', { experiments: [corpus], effort: { quick: true, seeds: 1, steps: 2 } }));
    const { parts } = documentOf('corpus', 'corpus');
    const [profile, groups] = parts as [ChartPart, TablePart];
    const shares = profile.series.map(({ points }) => points.map(({ median }) => median!));
    for (const share of shares) {
      expect(share).toEqual([...share].sort((a, b) => a - b));
      expect(share[share.length - 1]).toBeLessThanOrEqual(1);
    }
    // Somebody wins every instance on which not all diverged.
    expect(shares.reduce((sum, share) => sum + share[0], 0)).toBeGreaterThan(0.9);
    // The kinds of the paper's ensemble, and the corpus of the shipped weights, which has a profile of its own.
    expect(groups.rows).toHaveLength(17);
    expect(groups.rows.at(-1)!.slice(0, 2)).toEqual(['own-corpus', 2]);
    const own = parts.find((part): part is ChartPart => part.name === 'profile-own')!;
    const instances = [profile, own].map(({ series }) => series[0].points[0].runs);
    expect(instances[0] + instances[1]).toBe(groups.rows.reduce((sum, row) => sum + (row[1] as number), 0));
    expect(instances[1]).toBe(2);
  });
});

describe('earlier-learned-optimizer', { timeout: 60_000 }, () => {
  it('trains both networks with L2L and the learned optimizer as they come, and the others tuned', async () => {
    await runExperiments(
      options('earlier', {
        experiments: [earlierLearnedOptimizer],
        effort: { quick: true, seeds: 1, steps: 2 },
      }),
    );
    const { parts, findings, settings, notes } = documentOf('earlier', 'earlier-learned-optimizer');
    const charts = parts.filter((part): part is ChartPart => part.kind === 'chart');
    expect(charts.map(({ name }) => name)).toEqual(['sigmoid-short', 'sigmoid-long', 'relu-short', 'relu-long']);
    for (const { name, series } of charts) {
      const own = name.endsWith('short') ? ['learned', 'learned (no warm-up)'] : ['learned'];
      const tuned = ['Adam', 'RMSProp', 'SGD with momentum', 'SGD'];
      expect(series.map((of) => of.name.split(' at ')[0])).toEqual([...own, 'L2L', ...tuned]);
      expect(new Set(series.map(({ points }) => points[0].median)).size, 'the same start for all').toBe(1);
    }
    const { rows } = parts.find((part): part is TablePart => part.kind === 'table')!;
    const of = (title: string): unknown[] => rows.filter((row) => row[1] === title).map((row) => row[2]);
    expect(of('L2L')).toEqual([1, 1, 1, 1]);
    expect(of('L2L (factor tuned)')).toHaveLength(2);
    for (const factor of of('L2L (factor tuned)')) expect([0.1, 0.3, 1, 3]).toContain(factor);
    expect(findings.map(({ expected }) => expected.split(':')[0])).toEqual([
      ...['sigmoid-short', 'sigmoid-long', 'relu-short', 'relu-long'],
      ...['sigmoid-short', 'sigmoid-long', 'relu-short', 'relu-long'],
      ...['sigmoid-long', 'relu-short', 'relu-long'],
      expect.stringContaining('no run of the learned optimizer'),
    ]);
    expect(settings[0][1]).toMatch(/^not MNIST/);
    expect(notes.join(' ')).toMatch(/data\/l2l\.md.*not MNIST/);
  });

  it('trains for the steps of L2L’s meta-training and for longer, unless fewer are wanted', async () => {
    const digits = await heldOutImages({});
    const images = { ...digits, kind: 'mnist' as const };
    const facts = (steps?: number): [string, number][] =>
      trainings(images, { quick: false, steps }).map((training) => [training.title, training.steps]);
    expect(facts()).toEqual([
      ['64-20-10 sigmoid, MNIST, 100 steps', 100],
      ['64-20-10 sigmoid, MNIST, 1,000 steps', 1000],
      ['64-20-10 relu, MNIST, 100 steps', 100],
      ['64-20-10 relu, MNIST, 1,000 steps', 1000],
    ]);
    expect(trainings(digits, { quick: true }).map(({ title }) => title)[3]).toBe('64-20-10 relu, digits, 500 steps');
    expect(facts(250).map(([, steps]) => steps)).toEqual([100, 250, 100, 250]);
    expect(facts(7).map(([, steps]) => steps)).toEqual([7, 7, 7, 7]);
  });
});

describe('experiments that draw measurements', { timeout: 60_000 }, () => {
  it('draw those of a checkout and name their machine and command', async () => {
    await runExperiments(options('drawn', { experiments: [wallClock, imagenetScale] }));
    const html = text('drawn', 'index.html');
    for (const shown of ['npm run bench:training', 'npm run experiment:imagenet', 'AMD EPYC', 'ResNet V2 50']) {
      expect(html).toContain(shown);
    }
    expect(documentOf('drawn', 'wall-clock').quick).toBe(false);
  });

  it('say what is missing and which command makes it, or are left out where all are run', async () => {
    const missing = { experiments: [wallClock, imagenetScale], resultsDir: join(folder, 'nothing') };
    await expect(runExperiments(options('missing', missing))).rejects.toThrow(MissingMeasurementsError);
    const { skipped, written } = await runExperiments(options('missing', { ...missing, skipMissing: true }));
    expect(written).toEqual([]);
    expect(skipped.map(({ name }) => name)).toEqual(['wall-clock', 'imagenet-scale']);
    expect(skipped[0].reason).toMatch(/no such file.*checkout with: npm run bench:training/);
    expect(skipped[1].reason).toMatch(/npm run experiment:imagenet/);
  });
});

describe('the list of experiments', () => {
  it('is in the order of the figures of the paper', () => {
    const numbers = EXPERIMENTS.map(({ figure }) => /^Figure (\d+)/.exec(figure)?.[1]).filter((n) => n !== undefined);
    expect(numbers).toEqual([...numbers].sort());
    expect(EXPERIMENTS[0]).toBe(earlierLearnedOptimizer);
  });

  it('has names that fit a command line and a folder, each once', () => {
    const names = EXPERIMENTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(names).not.toContain('all');
    expect(names).not.toContain('list');
  });
});

describe('pictures', () => {
  const part: ChartPart = {
    kind: 'chart',
    name: 'p',
    title: 'T',
    subtitle: 'S',
    caption: '',
    x: { title: 'x', log: false },
    y: { title: 'y', log: true, maximum: 10 },
    dots: false,
    series: [
      {
        name: 'learned',
        role: 'learned',
        points: [
          { x: 0, median: 1, low: 0.5, high: 2, runs: 3 },
          { x: 1, median: 50, low: 2, high: null, runs: 3 },
          { x: 2, median: null, low: null, high: null, runs: 3 },
        ],
      },
    ],
  };

  it('have legends that fit', () => {
    const tuned = ['learned', 'Adam at 1', 'RMSProp at 1', 'SGD with momentum at 1e-4', 'SGD at 1e-4'];
    expect(legendColumns(tuned)).toBe(3);
    expect(legendColumns(tuned.map((name) => name.split(' at ')[0]))).toBe(5);
    expect(legendColumns(['x'.repeat(200), 'y'])).toBe(1);
  });

  it('show what diverged at the end of the axis', () => {
    const [{ points }] = lineChart(part, false).series;
    expect(points).toEqual([
      { x: 0, y: 1, low: 0.5, high: 2 },
      { x: 1, y: 10, low: 2, high: 10 },
      { x: 2, y: 10 },
    ]);
    expect(lineChart(part, true).subtitle).toMatch(/^QUICK LOOK/);
  });
});
