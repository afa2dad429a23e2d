import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FloatArray, Precision } from '../../bindings/types';
import { unflatten } from '../../lib/meta/flat';
import { LaneOptimizer } from '../../lib/meta/laneOptimizer';
import { LaneStates } from '../../lib/meta/laneStates';
import type { Architecture } from '../../lib/optimizer/architecture';
import { Engine } from '../../lib/optimizer/engine';
import { createRandom } from '../../lib/random';
import { perturbedWeights } from '../meta/setup';
import { anyArchitecture, presetArchitecture, unscaledArchitectures } from '../reference/architectures';

const STEPS = 5;
const HYPER = { multiplier: 1, weightDecay: 0, clipNorm: Infinity };
const METADATA = { name: 'random', description: '', provenance: '', initialLearningRate: 1e-3 };

interface Case {
  readonly architecture: Architecture;
  readonly lengths: readonly number[];
  readonly blocks: number;
  readonly seed: number;
  readonly magnitude: number;
}

const casesOf = (architecture: fc.Arbitrary<Architecture>): fc.Arbitrary<Case> =>
  fc.record({
    architecture,
    // Coordinates and tensors are advanced in groups: numbers that fill them, and numbers that leave some over.
    lengths: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
    blocks: fc.integer({ min: 1, max: 3 }),
    seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    magnitude: fc.constantFrom(1e-6, 1, 1e4),
  });

/** What a problem begins with and meets, rounded so that both precisions see the same numbers. */
class Problem {
  readonly start: Float32Array;
  readonly rates: Float32Array;
  /** By step. */
  readonly gradients: readonly Float32Array[];

  /** @param flat the meta-parameters */
  constructor(
    { architecture, lengths, seed, magnitude }: Case,
    index: number,
    readonly flat: Float64Array,
  ) {
    const N = lengths.reduce((p, q) => p + q, 0);
    const random = createRandom(seed, 1000 + index);
    const draw = (make: () => number): Float32Array => Float32Array.from({ length: N }, make);
    this.start = draw(() => random.normal());
    this.rates = draw(() => Math.min(architecture.maxLogLearningRate, Math.log(1e-3) + random.normal()));
    this.gradients = Array.from({ length: STEPS }, () => draw(() => magnitude * random.normal()));
  }
}

/** All that a step changes of a problem. */
interface Outcome {
  /** θ, and φ where it differs from θ, as they moved. */
  readonly theta: number[];
  readonly point: number[];
  readonly hidden: number[];
  readonly averages: number[];
  readonly rates: number[];
  readonly levels: number[];
}

function byEngine({ architecture: a, lengths }: Case, problem: Problem, precision: Precision): Outcome {
  const array = (values: ArrayLike<number>): FloatArray =>
    precision === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
  const engine = new Engine(unflatten(a, problem.flat, METADATA), { precision, threads: 1 });
  const starts = lengths.map((_, t) => lengths.slice(0, t).reduce((p, q) => p + q, 0));
  const split = (values: Float32Array): FloatArray[] =>
    lengths.map((n, t) => array(values.subarray(starts[t], starts[t] + n)));
  const parameters = split(problem.start);
  const handles = split(problem.rates).map((rates) => engine.addTensor(rates.length, rates));
  for (const all of problem.gradients) {
    const gradients = split(all);
    engine.step(
      handles.map((tensor, t) => ({ tensor, parameter: parameters[t], gradient: gradients[t] })),
      HYPER,
    );
  }
  const snapshots = handles.map((tensor) => engine.exportTensor(tensor));
  const positions = handles.map((tensor, t) => engine.position(tensor) ?? parameters[t]);
  const moved = (points: readonly FloatArray[]): number[] =>
    points.flatMap((p, t) => Array.from(p, (v, i) => v - problem.start[starts[t] + i]));
  const outcome = {
    theta: moved(positions),
    point: moved(parameters),
    hidden: snapshots.flatMap((s) => Array.from(s.cell.hidden)),
    averages: snapshots.flatMap((s) =>
      Array.from({ length: s.cell.logLearningRate.length }, (_, i) =>
        [s.cell.momentum, s.cell.scale].flatMap((v) =>
          Array.from(v.subarray(i * a.timescales, (i + 1) * a.timescales)),
        ),
      ).flat(),
    ),
    rates: snapshots.flatMap((s) => Array.from(s.cell.logLearningRate)),
    levels: [...snapshots.flatMap((s) => Array.from(s.tensorHidden)), ...engine.globalHidden],
  };
  engine.dispose();
  return outcome;
}

/** The problems' outcomes, each in a lane of its own; with `ownWeights` they have meta-parameters of their own. */
function byLanes(c: Case, precision: Precision, ownWeights: boolean): { problems: Problem[]; outcomes: Outcome[] } {
  const { architecture: a, lengths, blocks } = c;
  const states = new LaneStates(a, lengths, blocks, precision);
  const { width, coordinates: N, metaParameters: M } = states;
  // Weights of their own are the business of evolution strategies, which have a class for it, in single precision.
  const optimizer = ownWeights && precision === 'float32' ? new LaneOptimizer(a, lengths, blocks) : null;
  const state = optimizer?.state ?? states.array(states.size);
  const draw = (index: number): Float64Array => perturbedWeights(a, c.seed + index).map(Math.fround);
  const common = draw(0);
  const problems = Array.from({ length: blocks * width }, (_, i) => new Problem(c, i, ownWeights ? draw(i) : common));
  const each = (body: (problem: Problem, block: number, lane: number) => void): void =>
    problems.forEach((problem, i) => body(problem, Math.floor(i / width), i % width));
  const interleaved = (entries: number, of: (problem: Problem) => FloatArray): FloatArray => {
    const out = states.array(problems.length * entries);
    each((problem, block, lane) => {
      of(problem).forEach((value, i) => (out[(block * entries + i) * width + lane] = value));
    });
    return out;
  };
  const theta = interleaved(N, (p) => p.start);
  const weights = states.array(ownWeights ? problems.length * M : M);
  weights.set(ownWeights ? interleaved(M, (p) => p.flat) : problems[0].flat);
  each((problem, block, lane) => {
    states.writeTheta(state, block, lane, theta);
    states.reset(state, block, lane, (i) => problem.flat[i], problem.rates);
  });
  for (let step = 0; step < STEPS; step++) {
    const gradient = interleaved(N, (p) => p.gradients[step]);
    if (optimizer !== null) optimizer.step(weights as Float32Array, gradient as Float32Array);
    else states.step(weights, state, gradient, state);
  }
  const point = theta.slice();
  states.readTheta(state, theta);
  states.readPoint(state, point);

  const [H, S] = [a.parameterHidden, a.timescales];
  const fields = H + 2 * S + 1;
  const entries = state.length / (blocks * width);
  const levels = lengths.length * a.tensorHidden + a.globalHidden;
  const outcomes = problems.map((problem, index): Outcome => {
    const [block, lane] = [Math.floor(index / width), index % width];
    const slice = (array: FloatArray, perBlock: number, from: number, count: number): number[] =>
      Array.from({ length: count }, (_, i) => array[(block * perBlock + from + i) * width + lane]);
    const ofCells = (from: number, count: number): number[] =>
      Array.from({ length: N }, (_, i) => slice(state, entries, i * fields + from, count)).flat();
    const moved = (array: FloatArray): number[] => slice(array, N, 0, N).map((v, i) => v - problem.start[i]);
    return {
      theta: moved(theta),
      point: moved(point),
      hidden: ofCells(0, H),
      averages: ofCells(H, 2 * S),
      rates: ofCells(fields - 1, 1),
      levels: slice(state, entries, N * fields, levels),
    };
  });
  return { problems, outcomes };
}

/** Largest |a − b| over the root mean square of b. */
function distance(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  const rms = Math.sqrt(b.reduce((sum, v) => sum + v * v, 0) / Math.max(1, b.length));
  return a.reduce((worst, v, i) => Math.max(worst, Math.abs(v - b[i])), 0) / (rms + 1e-30);
}

/** Largest |a − b|/(|b| + floor): entries of very different sizes. */
function relative(a: readonly number[], b: readonly number[], floor: number): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, v, i) => Math.max(worst, Math.abs(v - b[i]) / (Math.abs(b[i]) + floor)), 0);
}

/** Checks every problem; θ is given what it loses when rounded to `epsilon` in every step. */
function check(c: Case, precision: Precision, ownWeights: boolean, tolerance: number, epsilon: number): void {
  const { problems, outcomes } = byLanes(c, precision, ownWeights);
  // Whole blocks of 16 are many engines: lanes at the ends and in the middle.
  const chosen = problems.length > 4 ? [0, 7, 15, problems.length - 1] : problems.map((_, i) => i);
  const largest = c.magnitude * c.architecture.gradientScale;
  for (const i of chosen) {
    const [lane, engine] = [outcomes[i], byEngine(c, problems[i], precision)];
    for (const key of ['theta', 'point'] as const) {
      const size = Math.max(...problems[i].start.map(Math.abs)) + Math.max(...engine[key].map(Math.abs));
      const rms = Math.sqrt(engine[key].reduce((sum, v) => sum + v * v, 0) / engine[key].length);
      expect(distance(lane[key], engine[key]), key).toBeLessThan(tolerance + (STEPS * epsilon * size) / rms);
    }
    expect(distance(lane.hidden, engine.hidden), 'hidden').toBeLessThan(tolerance);
    expect(distance(lane.rates, engine.rates), 'rates').toBeLessThan(tolerance);
    expect(distance(lane.levels, engine.levels), 'levels').toBeLessThan(tolerance);
    // Of sums that cancel, the digits below the largest summand are rounding.
    expect(relative(lane.averages, engine.averages, 0.1 * Math.min(largest, largest ** 2)), 'averages').toBeLessThan(
      tolerance,
    );
  }
}

describe.each([
  ['random architectures', casesOf(anyArchitecture), 1],
  ["the default preset's architecture", casesOf(fc.constant(presetArchitecture)), 1 / 4],
  ['the same without dynamic input scaling', casesOf(unscaledArchitectures), 1 / 4],
] as const)('steps in lanes equal steps of the optimizer, %s', (_, cases, share) => {
  it.each([
    ['one set of weights', false, 1],
    ['a set of weights per lane', true, 2],
  ])('in double precision: %s', (__, ownWeights, seed) => {
    fc.assert(
      fc.property(cases, (c) => check(c, 'float64', ownWeights, 1e-11, 2 ** -53)),
      { numRuns: 80 * share, seed },
    );
  });

  it.each([
    ['one set of weights', false, 3],
    ['a set of weights per lane', true, 4],
  ])('within rounding in single precision: %s', (__, ownWeights, seed) => {
    fc.assert(
      fc.property(cases, (c) => check(c, 'float32', ownWeights, 1e-4, 2 ** -24)),
      // Weights of all lanes take most of the time.
      { numRuns: (ownWeights ? 20 : 40) * share, seed },
    );
  });
});
