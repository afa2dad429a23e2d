import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOptimizer, createWeights, loadWeights, presets } from '../../lib/index';
import type { Weights } from '../../lib/index';
import { evaluatorOf, heightOf, PICTURE_LANDSCAPES } from '../../lib/experiments/landscapes/catalogue';
import { decodeDescent, encodeDescent } from '../../lib/experiments/landscapes/codec';
import { pageLandscape, pageSetting } from '../../lib/experiments/landscapes/data';
import { BASELINES, descend, halfDecades } from '../../lib/experiments/landscapes/descent';
import { writeLandscapesPage } from '../../lib/experiments/landscapes/page';
import { LiveOptimizer } from '../../lib/experiments/landscapes/page/learnedOptimizer';
import { liveDescent } from '../../lib/experiments/landscapes/page/liveRun';
import { gridStarts, learnedDescent, TUNING_RATES, tunedRates } from '../../lib/experiments/landscapes/trajectories';
import { landscapeFamilies } from '../../lib/problems/families/landscapes';

const bySlug = (slug: string) => PICTURE_LANDSCAPES.find((landscape) => landscape.slug === slug)!;
const rosenbrock = bySlug('rosenbrock');
const largest = (values: Float64Array): number => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
const difference = (a: Float64Array, b: Float64Array): number => largest(a.map((value, i) => value - b[i]));

describe('the catalogue', () => {
  it('has all two-dimensional landscapes of the corpus', () => {
    expect(PICTURE_LANDSCAPES.map(({ slug }) => slug).sort()).toEqual(
      landscapeFamilies()
        .map(({ name }) => name)
        .sort(),
    );
  });

  it.each(PICTURE_LANDSCAPES.map((landscape) => [landscape.slug, landscape] as const))(
    '%s has its minima in the picture, and nothing below them',
    (_, landscape) => {
      const slope: [number, number] = [0, 0];
      const height = heightOf(landscape);
      const values = landscape.minima.map(([x, y]) => evaluatorOf(landscape)(x, y, slope));
      for (const [i, [x, y]] of landscape.minima.entries()) {
        evaluatorOf(landscape)(x, y, slope);
        expect(Math.hypot(...slope)).toBeLessThan(1e-6);
        expect(values[i]).toBeCloseTo(values[0], 10);
        expect(x > landscape.x[0] && x < landscape.x[1] && y > landscape.y[0] && y < landscape.y[1]).toBe(true);
      }
      let [lowest, lowestHeight] = [Infinity, Infinity];
      for (let i = 0; i <= 80; i++) {
        for (let j = 0; j <= 80; j++) {
          const x = landscape.x[0] + ((landscape.x[1] - landscape.x[0]) * i) / 80;
          const y = landscape.y[0] + ((landscape.y[1] - landscape.y[0]) * j) / 80;
          // `height` cuts at zero: look at the value itself.
          lowest = Math.min(lowest, evaluatorOf(landscape)(x, y, slope));
          lowestHeight = Math.min(lowestHeight, height(x, y));
        }
      }
      expect(lowest).toBeGreaterThan(values[0] - 1e-5);
      expect(lowestHeight).toBeGreaterThanOrEqual(0);
    },
  );
});

describe('trajectories', () => {
  it('of the learned optimizer are those of the public API', () => {
    const start: [number, number] = [-1.5, 2];
    const parameter = Float32Array.from(start);
    const optimizer = createOptimizer([parameter], { initialLearningRate: 1e-4 });
    const slope: [number, number] = [0, 0];
    const expected = [...parameter];
    for (let step = 0; step < 40; step++) {
      evaluatorOf(rosenbrock)(parameter[0], parameter[1], slope);
      optimizer.step([Float32Array.from(slope)]);
      expected.push(...parameter);
    }
    const descent = learnedDescent(rosenbrock, start, 40, { initialLearningRate: 1e-4 });
    expect([...descent.positions]).toEqual(expected);
    expect(descent.logRates[0]).toBeCloseTo(Math.log(1e-4), 5);
    expect(descent.momenta.subarray(0, 8)).toEqual(new Float64Array(8));
    // The first average is the first gradient, and so is its magnitude.
    for (const momentum of descent.momenta.subarray(8, 16)) expect(Math.abs(momentum)).toBeCloseTo(1, 4);
  });

  it('stop where a baseline diverges', () => {
    const sgd = BASELINES.find(({ id }) => id === 'sgd')!;
    const { heights, positions } = descend(rosenbrock, [-1.5, 2], 50, sgd.make(1));
    const end = heights.findIndex((height) => Number.isNaN(height));
    expect(end).toBeGreaterThan(1);
    expect(heights.subarray(end).every(Number.isNaN)).toBe(true);
    expect(positions.subarray(2 * end).every(Number.isNaN)).toBe(true);
  });

  it('start one in each cell of the grid, the same for the same seed', () => {
    const starts = gridStarts(rosenbrock, 5, 0);
    expect(starts).toEqual(gridStarts(rosenbrock, 5, 0));
    expect(starts).not.toEqual(gridStarts(rosenbrock, 6, 0));
    const cell = (value: number, [low, high]: readonly [number, number]): number =>
      Math.floor((3 * (value - low)) / (high - low));
    expect(starts.map(([x, y]) => cell(x, rosenbrock.x) + 3 * cell(y, rosenbrock.y))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8,
    ]);
  });

  it('of baselines are tuned to the best of all half-decades', () => {
    expect(halfDecades(-2, 0)).toEqual([0.01, 0.0316, 0.1, 0.316, 1]);
    const booth = bySlug('booth');
    const starts = gridStarts(booth, 0, 0);
    const tuned = tunedRates(booth, starts, 60);
    for (const { id, make } of BASELINES) {
      const scores = TUNING_RATES.map((rate) => {
        const ends = starts.map((start) => descend(booth, start, 60, make(rate)).heights[60]);
        return ends.reduce((sum, end) => sum + (Number.isFinite(end) ? Math.log10(Math.max(end, 1e-8)) : 10), 0);
      });
      expect(tuned[id]).toBe(TUNING_RATES[scores.indexOf(Math.min(...scores))]);
    }
  });

  it('survive being written and read up to rounding', () => {
    const descent = learnedDescent(rosenbrock, [-1.5, 2], 300);
    const back = decodeDescent(encodeDescent(descent));
    expect(back.timescales).toBe(4);
    expect(difference(descent.positions, back.positions)).toBeLessThan(5e-5);
    expect(difference(descent.heights.map(Math.log10), back.heights.map(Math.log10))).toBeLessThan(5e-4);
    expect(difference(descent.logRates, back.logRates)).toBeLessThan(1e-3);
    const within = descent.momenta.map((value) => Math.min(Math.max(value, -4), 4));
    expect(difference(within, back.momenta)).toBeLessThan(0.02);
    expect(() => encodeDescent({ ...descent, positions: Float64Array.of(0, NaN) })).toThrow(
      'positions[1]: expected a finite number, got NaN',
    );
  });
});

describe('the learned optimizer of the page', () => {
  const names = presets().map(({ name }) => name);

  const cases = names.flatMap((preset) => PICTURE_LANDSCAPES.map((landscape) => [preset, landscape.slug] as const));

  /** Largest distance from the package in double precision. */
  const apartFrom = (weights: Weights, slug: string): number => {
    const landscape = bySlug(slug);
    const { learned } = pageSetting({ seed: 0, steps: 1, optimizer: { weights } }, 'test');
    const rate = weights.metadata.initialLearningRate;
    const start = gridStarts(landscape, 0, 0)[landscape.firstStart];
    const [ours, theirs] = [Float64Array.from(start), Float64Array.from(start)];
    const live = new LiveOptimizer(learned, ours, rate);
    const optimizer = createOptimizer([theirs], { weights, threads: 1 });
    const slope: [number, number] = [0, 0];
    let apart = 0;
    for (let step = 0; step < 300; step++) {
      evaluatorOf(landscape)(theirs[0], theirs[1], slope);
      optimizer.step([Float64Array.from(slope)]);
      live.step(slope);
      const [x, y] = optimizer.evaluationParameters()[0];
      const [u, v] = live.position;
      apart = Math.max(apart, Math.abs(ours[0] - theirs[0]), Math.abs(ours[1] - theirs[1]));
      apart = Math.max(apart, Math.abs(u - x), Math.abs(v - y));
    }
    return apart;
  };

  it.each(cases)('computes with %s on %s what the package computes in double precision', (preset, slug) => {
    expect(apartFrom(loadWeights(preset), slug)).toBeLessThan(1e-8);
  });

  it('does so without dynamic scaling of the inputs', () => {
    const { architecture, tensors, metadata } = loadWeights('hrnn-3');
    const unscaled = createWeights({ ...architecture, inputScaling: false, gradientScale: 1 }, tensors, metadata);
    expect(apartFrom(unscaled, 'rosenbrock')).toBeLessThan(1e-8);
  });

  it.each(PICTURE_LANDSCAPES.map((landscape, i) => [landscape.slug, landscape, i] as const))(
    'follows the recorded trajectories on %s to the tolerance of floats, until rounding tells where slopes turn',
    (_, landscape, stream) => {
      const { learned } = pageSetting({ seed: 0, steps: 1 }, 'test');
      for (const start of gridStarts(landscape, 0, stream)) {
        const recorded = learnedDescent(landscape, start, 60, { initialLearningRate: 1e-3 });
        const live = liveDescent(landscape, start, 60, learned, 1e-3);
        expect(difference(recorded.positions, live.positions)).toBeLessThan(2e-5);
        expect(difference(recorded.logRates, live.logRates)).toBeLessThan(2e-3);
      }
    },
  );

  it('holds initial rates within the range of the weights, as the package does', () => {
    const { learned } = pageSetting({ seed: 0, steps: 1 }, 'test');
    for (const rate of [1e-6, 1]) {
      const recorded = learnedDescent(rosenbrock, [0, 0], 20, { initialLearningRate: rate });
      expect(difference(recorded.logRates, liveDescent(rosenbrock, [0, 0], 20, learned, rate).logRates)).toBeLessThan(
        1e-4,
      );
    }
  });
});

describe('writing the page', () => {
  let folder: string;
  let assets: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lo-landscapes-'));
    assets = mkdtempSync(join(tmpdir(), 'lo-landscapes-assets-'));
    for (const name of ['index.html', 'style.css', 'page.js']) writeFileSync(join(assets, name), name);
  });
  afterAll(() => {
    for (const path of [folder, assets]) rmSync(path, { recursive: true, force: true });
  });

  const setting = { seed: 3, steps: 12, slugs: ['booth', 'matyas'] };
  const bytes = (path: string): Record<string, string> =>
    Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'utf8')]));

  it('gives the same bytes for the same seed, and others for another', async () => {
    const write = (out: string, seed: number) =>
      writeLandscapesPage({ ...setting, seed, assets, out: join(folder, out) });
    const { files, landscapes } = await write('a', 3);
    await write('b', 3);
    await write('c', 4);
    const [a, b, c] = ['a', 'b', 'c'].map((out) => bytes(join(folder, out, 'data')));
    expect(b).toEqual(a);
    expect(c['booth.js']).not.toBe(a['booth.js']);
    expect(Object.keys(a).sort()).toEqual(['booth.js', 'matyas.js', 'setting.js']);
    expect(files).toHaveLength(6);
    expect(landscapes.map(({ slug }) => slug)).toEqual(['booth', 'matyas']);
    expect(landscapes[0].starts).toHaveLength(9);
  });

  it('records every start at every rate that the weights allow', async () => {
    let count = 0;
    const data = await pageLandscape(rosenbrock, setting, async () => void count++);
    expect(count).toBe(9 * 3);
    expect(data.learned.map((runs) => runs.length)).toEqual(new Array(9).fill(3));
    // The slider's rates are 1e-5 … 1; those outside 1e-4 … 1e-3 share the trajectories of the ends.
    expect(data.rateOf).toEqual([0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 2]);
  });

  it('reports progress, and stops when it is aborted', async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const writing = writeLandscapesPage({
      ...setting,
      assets,
      out: join(folder, 'aborted'),
      signal: controller.signal,
      onProgress({ landscape, done, total }) {
        seen.push(`${landscape} ${done}/${total}`);
        if (done === 2) controller.abort(new Error('enough'));
      },
    });
    await expect(writing).rejects.toThrow('enough');
    expect(seen).toEqual(['Booth 1/27', 'Booth 2/27']);
  });

  it('names what is wrong', async () => {
    const out = join(folder, 'wrong');
    await expect(writeLandscapesPage({ ...setting, slugs: ['everest'], assets, out })).rejects.toThrow(
      /slugs: expected some of rosenbrock, .*, got everest/,
    );
    await expect(writeLandscapesPage({ ...setting, assets: folder, out })).rejects.toThrow(
      /assets: expected index.html in .*, found none; in a checkout run npm run build:js/,
    );
  });
});
