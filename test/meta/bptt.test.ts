import { describe, expect, it } from 'vitest';
import { BpttFamily } from '../../lib/meta/bptt';
import type { BpttOptions } from '../../lib/meta/bptt';
import { defaultCorpus } from '../../lib/meta/corpus';
import type { EstimatorState } from '../../lib/meta/estimator';
import { PAPER_HORIZON } from '../../lib/meta/horizons';
import { DEFAULT_ARCHITECTURE } from '../../lib/optimizer/architecture';
import type { LaneFamily } from '../../lib/problems/lanes/family';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { createRandom } from '../../lib/random';
import { BPTT_OPTIONS, perturbedWeights } from './setup';

const table = new NoiseTable(1, 1 << 15);
const flat = perturbedWeights(DEFAULT_ARCHITECTURE, 1);
const corpus = defaultCorpus().map(({ family }) => family);
/** Without the largest two, which are slow and of the same kinds as others. */
const quick = corpus.filter(({ name }) => !['softmax-36', 'residuals-1'].includes(name));
const create = (family: LaneFamily, blocks = 1, seed = 3): BpttFamily =>
  new BpttFamily(DEFAULT_ARCHITECTURE, family, blocks, table, seed);

/** Truncations `from` to `to`. */
function walk(estimator: BpttFamily, options: BpttOptions, from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => estimator.run(flat, createRandom(2, from + i), options));
}

describe('truncated back-propagation in lanes', () => {
  it.each(quick.map((family) => [family.name, family] as const))(
    'gives the same bits with and without checkpoints: %s',
    (_, family) => {
      const run = (checkpointInterval: number | undefined, secondDerivatives: boolean) => {
        // Some problems stop on the way.
        const options = { ...BPTT_OPTIONS, stopMultiplier: 1.5, checkpointInterval, secondDerivatives };
        const estimator = create(family);
        estimator.begin(createRandom(1), options);
        return { results: walk(estimator, options, 0, 2), state: estimator.exportState() };
      };
      for (const secondDerivatives of [false, true]) {
        const whole = run(undefined, secondDerivatives);
        expect(whole.results.every(({ gradient }) => gradient.every(Number.isFinite))).toBe(true);
        for (const interval of secondDerivatives ? [4] : [1, 4])
          expect(run(interval, secondDerivatives)).toEqual(whole);
      }
    },
  );

  it('continues from exported state with the same bits', () => {
    for (const family of quick) {
      const estimator = create(family);
      estimator.begin(createRandom(1), BPTT_OPTIONS);
      walk(estimator, BPTT_OPTIONS, 0, 2);
      const state = estimator.exportState();
      const rest = walk(estimator, BPTT_OPTIONS, 2, 5);
      const other = create(family);
      other.importState(state, BPTT_OPTIONS);
      expect(other.exportState()).toEqual(state);
      expect(walk(other, BPTT_OPTIONS, 2, 5), family.name).toEqual(rest);
    }
  });

  it('refuses a state that does not fit, and stays as it was', () => {
    const estimator = create(corpus[0]);
    estimator.begin(createRandom(1), BPTT_OPTIONS);
    const before = estimator.exportState();
    const { start, ...without } = before;
    expect(() => estimator.importState(without, BPTT_OPTIONS)).toThrow(
      /state.start: expected Float32Array of length 16, got none/,
    );
    const wrong: EstimatorState = { ...before, start: Float64Array.from(start) };
    expect(() => estimator.importState(wrong, BPTT_OPTIONS)).toThrow(/state.start: expected Float32Array of length 16/);
    expect(estimator.exportState()).toEqual(before);
  });

  it('goes on with a trajectory from truncation to truncation, and begins a new one after its horizon', () => {
    const options: BpttOptions = { ...BPTT_OPTIONS, horizon: [30, 30] };
    const estimator = create({ ...corpus[0], horizonFactor: 1, create: (...a) => corpus[0].create(...a) });
    estimator.begin(createRandom(1), options);
    const restarts = walk(estimator, options, 0, 9).map((r) => r.restarts);
    // Staggered at first, then every third truncation.
    expect(restarts.slice(0, 3).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(16);
    expect(restarts.slice(3, 6).reduce((a, b) => a + b, 0)).toBe(16);
    expect(restarts.slice(6, 9)).toEqual(restarts.slice(3, 6));
  });

  it('leaves a problem that is not finite out, without effect on the others', () => {
    const options: BpttOptions = { ...BPTT_OPTIONS, clipNorm: Infinity, horizon: [100, 100] };
    for (const family of quick) {
      const estimator = create(family);
      estimator.begin(createRandom(1), options);
      walk(estimator, options, 0, 1);
      const healthy = estimator.exportState();
      const lanes = 16;
      const coordinates = family.lengths.reduce((a, b) => a + b, 0);
      const run = (isIll: (lane: number) => boolean) => {
        const state = healthy['state'].slice();
        // θ lies at the end.
        for (let k = state.length - coordinates * lanes; k < state.length; k++) if (isIll(k % lanes)) state[k] = NaN;
        estimator.importState({ ...healthy, state }, options);
        return estimator.run(flat, createRandom(9), options);
      };
      const all = run(() => false);
      const some = run((lane) => lane < 5);
      const others = run((lane) => lane >= 5);
      expect(some.failures).toBeGreaterThanOrEqual(5);
      expect(some.failures + others.failures).toBe(16 + all.failures);
      const size = Math.max(...all.gradient.map(Math.abs));
      all.gradient.forEach((g, i) =>
        expect(Math.abs(some.gradient[i] + others.gradient[i] - g)).toBeLessThan(1e-12 * size),
      );
    }
  });

  it('ends a trajectory early where the objective exceeds a multiple of its start', () => {
    // Rates of 1 and above let many problems climb.
    const rates = { ...BPTT_OPTIONS.initialRates, constantProbability: 1, constantRange: [1, 10] as const };
    const failures = (stopMultiplier: number): number => {
      const options: BpttOptions = { ...BPTT_OPTIONS, initialRates: rates, horizon: [1000, 1000], stopMultiplier };
      const estimator = create(corpus[0]);
      estimator.begin(createRandom(1), options);
      return walk(estimator, options, 0, 1)[0].failures;
    };
    expect(failures(2)).toBeGreaterThan(failures(100));
    expect(failures(100)).toBeGreaterThanOrEqual(failures(Infinity));
  });

  it('bounds the gradient of every problem', () => {
    for (const clipNorm of [1, 1e-3]) {
      const options: BpttOptions = { ...BPTT_OPTIONS, clipNorm };
      const estimator = create(corpus[2]);
      estimator.begin(createRandom(1), options);
      const [{ gradient }] = walk(estimator, options, 0, 1);
      expect(Math.hypot(...gradient)).toBeLessThanOrEqual(clipNorm);
      expect(Math.hypot(...gradient)).toBeGreaterThan(0);
    }
  });

  it('gives nearly the same gradients in single and in double precision', () => {
    // Without minibatches, which every block draws for itself.
    for (const family of [corpus[0], corpus[1], corpus[5]]) {
      const run = (blocks: number, precision: 'float32' | 'float64', secondDerivatives: boolean) => {
        const options = { ...BPTT_OPTIONS, secondDerivatives };
        const estimator = new BpttFamily(DEFAULT_ARCHITECTURE, family, blocks, table, 3, precision);
        expect(estimator.problems).toBe(16);
        estimator.begin(createRandom(1), options);
        return walk(estimator, options, 0, 1)[0];
      };
      for (const secondDerivatives of [false, true]) {
        const [single, double] = [run(1, 'float32', secondDerivatives), run(16, 'float64', secondDerivatives)];
        const error =
          Math.hypot(...single.gradient.map((g, i) => g - double.gradient[i])) / Math.hypot(...double.gradient);
        expect(Math.abs(single.loss / double.loss - 1)).toBeLessThan(1e-5);
        // Differences of gradients in single precision lose half of the digits.
        expect(error).toBeLessThan(secondDerivatives ? 1e-3 : 1e-4);
      }
    }
  });

  it('draws the lengths of truncations with heavy-tailed horizons', () => {
    const options: BpttOptions = { ...BPTT_OPTIONS, horizon: { ...PAPER_HORIZON, steps: 10, shortest: 5 } };
    const estimator = create(corpus[6]);
    estimator.begin(createRandom(1), options);
    const lengths = walk(estimator, options, 0, 20).map(({ steps }) => steps / 16);
    expect(lengths.every((n) => Number.isInteger(n) && n >= 5)).toBe(true);
    expect(new Set(lengths).size).toBeGreaterThan(5);
  });
});
