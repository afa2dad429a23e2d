import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FloatArray, Precision } from '../../bindings/types';
import type { Architecture } from '../../lib/optimizer/architecture';
import { Engine } from '../../lib/optimizer/engine';
import type { StepHyperparameters } from '../../lib/optimizer/engine';
import { initialWeights } from '../../lib/optimizer/initialWeights';
import { createWeights } from '../../lib/optimizer/weights';
import type { Weights } from '../../lib/optimizer/weights';
import { createRandom } from '../../lib/random';
import { anyArchitecture, presetArchitecture, unscaledArchitectures } from './architectures';
import { ReferenceOptimizer } from './optimizer';

const STEPS = 8;

const settings = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  lengths: fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 4 }),
  hyper: fc.record({
    multiplier: fc.constantFrom(1, 0.3),
    weightDecay: fc.constantFrom(0, 1e-3),
    clipNorm: fc.constantFrom(Infinity, 1, 1e6),
  }),
  magnitude: fc.constantFrom(1e-6, 1, 1e4),
  badShare: fc.constantFrom(0, 0.1),
});

const casesOf = (architecture: fc.Arbitrary<Architecture>): fc.Arbitrary<Case> =>
  fc.tuple(architecture, settings).map(([a, rest]) => ({ ...rest, architecture: a }));

/** Initial weights with a learning rate head that moves: at the start of meta-training it is zero. */
function livelyWeights(architecture: Architecture, seed: number): Weights {
  const weights = initialWeights(architecture, seed);
  const random = createRandom(seed, 99);
  const head = Float64Array.from({ length: architecture.parameterHidden }, () => 0.1 * random.normal());
  return createWeights(
    architecture,
    new Map([...weights.tensors, ['parameter.learningRate.readout', head]]),
    weights.metadata,
  );
}

interface Case {
  readonly architecture: Architecture;
  readonly seed: number;
  readonly lengths: readonly number[];
  readonly hyper: StepHyperparameters;
  readonly magnitude: number;
  readonly badShare: number;
}

interface Outcome {
  readonly start: readonly FloatArray[];
  readonly end: readonly FloatArray[];
  readonly hidden: readonly FloatArray[];
  readonly rates: readonly FloatArray[];
  readonly tensors: readonly FloatArray[];
  readonly global: FloatArray;
  readonly skipped: number;
}

/** Trains `STEPS` steps; gradients are rounded to single precision so that every implementation sees the same ones. */
function run(c: Case, precision: Precision, implementation: 'native' | 'reference', threads = 1): Outcome {
  const engine = new Engine(livelyWeights(c.architecture, c.seed), {
    precision,
    threads,
    ...(implementation === 'reference' ? { createNative: (options) => new ReferenceOptimizer(options) } : {}),
  });
  const random = createRandom(c.seed, 1);
  const draw = (length: number, make: () => number): FloatArray => {
    const rounded = Float32Array.from({ length }, make);
    return precision === 'float32' ? rounded : Float64Array.from(rounded);
  };
  const parameters = c.lengths.map((n) => draw(n, () => random.normal()));
  const start = parameters.map((p) => p.slice());
  // No initial rate may lie beyond the architecture's bound.
  const bound = c.architecture.maxLogLearningRate;
  const rates = c.lengths.map((n) => draw(n, () => Math.min(bound, Math.log(1e-3) + random.normal())));
  const handles = c.lengths.map((n, t) => engine.addTensor(n, rates[t]));
  let skipped = 0;
  for (let s = 0; s < STEPS; s++) {
    const gradients = c.lengths.map((n) =>
      draw(n, () => {
        const value = c.magnitude * random.normal();
        return random.uniform() < c.badShare ? NaN : value;
      }),
    );
    const updates = handles
      .map((tensor, t) => ({ tensor, parameter: parameters[t], gradient: gradients[t] }))
      // From time to time a tensor takes no part.
      .filter((_, t) => t === 0 || random.uniform() < 0.9);
    skipped += engine.step(updates, c.hyper).skipped;
  }
  const states = handles.map((tensor) => engine.exportTensor(tensor));
  const end = parameters.map((p, t) => engine.position(handles[t]) ?? p);
  const outcome = {
    start,
    end,
    hidden: states.map((state) => state.cell.hidden),
    rates: states.map((state) => state.cell.logLearningRate),
    tensors: states.map((state) => state.tensorHidden),
    global: engine.globalHidden,
    skipped,
  };
  engine.dispose();
  return outcome;
}

function rootMeanSquare(arrays: readonly FloatArray[]): number {
  const values = arrays.flatMap((x) => Array.from(x));
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / Math.max(1, values.length));
}

/** Largest |a − b| over the root mean square of all of b. */
function distance(a: readonly FloatArray[], b: readonly FloatArray[]): number {
  const flatB = b.flatMap((x) => Array.from(x));
  const worst = a.flatMap((x) => Array.from(x)).reduce((w, v, i) => Math.max(w, Math.abs(v - flatB[i])), 0);
  return worst / (rootMeanSquare(b) + 1e-12);
}

const moved = ({ start, end }: Outcome): FloatArray[] =>
  end.map((p, t) => Float64Array.from(p, (v, i) => v - start[t][i]));

describe.each([
  ['random architectures', casesOf(anyArchitecture), 1],
  ["the default preset's architecture", casesOf(fc.constant(presetArchitecture)), 1 / 5],
  ['the same without dynamic input scaling', casesOf(unscaledArchitectures), 1 / 5],
] as const)('the native optimizer over %s, random weights and gradients', (_, cases, share) => {
  it('in double precision equals the implementation from the equations', () => {
    fc.assert(
      fc.property(cases, (c) => {
        const native = run(c, 'float64', 'native');
        const reference = run(c, 'float64', 'reference');
        expect(native.skipped).toBe(reference.skipped);
        expect(distance(moved(native), moved(reference))).toBeLessThan(1e-9);
        expect(distance(native.hidden, reference.hidden)).toBeLessThan(1e-10);
        expect(distance(native.rates, reference.rates)).toBeLessThan(1e-11);
        expect(distance(native.tensors, reference.tensors)).toBeLessThan(1e-10);
        expect(distance([native.global], [reference.global])).toBeLessThan(1e-10);
      }),
      { numRuns: 150 * share, seed: 1 },
    );
  });

  it('in single precision stays within rounding of double precision', () => {
    fc.assert(
      fc.property(cases, (c) => {
        const single = run(c, 'float32', 'native');
        const double = run(c, 'float64', 'native');
        expect(single.skipped).toBe(double.skipped);
        // θ is of order 1 and is rounded to single precision at every step.
        const largest = Math.max(...double.end.flatMap((p) => Array.from(p, Math.abs)));
        const rounding = (STEPS * 2 ** -24 * largest) / rootMeanSquare(moved(double));
        expect(distance(moved(single), moved(double))).toBeLessThan(2e-4 + rounding);
        expect(distance(single.hidden, double.hidden)).toBeLessThan(2e-4);
        expect(distance(single.rates, double.rates)).toBeLessThan(2e-5);
        expect(distance(single.tensors, double.tensors)).toBeLessThan(2e-4);
        expect(distance([single.global], [double.global])).toBeLessThan(2e-4);
      }),
      { numRuns: 300 * share, seed: 2 },
    );
  });

  it('gives the same bits for any number of threads', () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 2, max: 8 }), fc.integer({ min: 2049, max: 9000 }), (c, threads, long) => {
        const larger = { ...c, lengths: [...c.lengths, long] };
        expect(run(larger, 'float32', 'native', threads)).toEqual(run(larger, 'float32', 'native', 1));
      }),
      { numRuns: 25 * share, seed: 3 },
    );
  });
});
