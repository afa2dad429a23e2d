import { describe, expect, it } from 'vitest';
import { createOptimizer, loadWeights } from '../../lib/index';
import type { OptimizerOptions, Weights } from '../../lib/index';
import { createWeights, decodeWeights, encodeWeights } from '../../lib/optimizer/weights';
import type { WeightsMetadata } from '../../lib/optimizer/weights';
import { decodeSafetensors } from '../../lib/safetensors';
import { normals } from './runs';

const plain = loadWeights('prototype');

function weightsWith(metadata: Partial<WeightsMetadata>): Weights {
  return createWeights(plain.architecture, plain.tensors, { ...plain.metadata, ...metadata });
}

const warm = weightsWith({ warmup: { steps: 4, from: 1 / 16 } });

/** Displacements of a parameter whose gradient is always the same, per step. */
function displacements(steps: number, options: OptimizerOptions): number[][] {
  const parameter = Float64Array.from(normals(10, 1));
  const optimizer = createOptimizer([parameter], options);
  return Array.from({ length: steps }, () => {
    const before = parameter.slice();
    optimizer.step([Float64Array.from(normals(10, 2))]);
    return Array.from(parameter, (value, i) => value - before[i]);
  });
}

describe('the warm-up of weights', () => {
  it('shortens the first steps by factors that rise geometrically to 1', () => {
    const whole = displacements(6, { weights: plain });
    displacements(6, { weights: warm }).forEach((step, t) => {
      const factor = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 1][t];
      step.forEach((value, i) => expect(value).toBeCloseTo(factor * whole[t][i], 12));
    });
  });

  it('multiplies the learningRateMultiplier', () => {
    const half = displacements(2, { weights: plain, learningRateMultiplier: 0.5 });
    const both = displacements(2, { weights: warm, learningRateMultiplier: 0.5 });
    both[1].forEach((value, i) => expect(value).toBeCloseTo(half[1][i] / 8, 12));
  });

  it('lasts as long as warmupSteps says; 0 turns it off', () => {
    expect(displacements(3, { weights: warm, warmupSteps: 0 })).toEqual(displacements(3, { weights: plain }));
    const [first, second] = displacements(2, { weights: warm, warmupSteps: 2 });
    const whole = displacements(2, { weights: plain });
    first.forEach((value, i) => expect(value).toBeCloseTo(whole[0][i] / 16, 12));
    second.forEach((value, i) => expect(value).toBeCloseTo(whole[1][i] / 4, 12));
  });

  it('goes on where it was after loadState', () => {
    const parameter = Float32Array.from(normals(10, 1));
    const first = createOptimizer([parameter], { weights: warm });
    first.step([Float32Array.from(normals(10, 2))]);
    const copy = parameter.slice();
    const second = createOptimizer([copy], { weights: warm });
    second.loadState(first.saveState());
    for (const [optimizer] of [[first], [second]]) optimizer.step([Float32Array.from(normals(10, 3))]);
    expect(copy).toEqual(parameter);
  });

  it.each([[-1], [1.5], [NaN], [Infinity]])('warmupSteps %s is refused', (warmupSteps) => {
    const create = (): unknown => createOptimizer([normals(4, 1)], { warmupSteps });
    expect(create).toThrow(RangeError);
    expect(create).toThrow(/^warmupSteps: expected a whole number of at least 0, got /);
  });

  it('and the range of initial rates are kept in the file', () => {
    const mine = weightsWith({ warmup: { steps: 100, from: 0.05 }, initialLearningRateRange: [1e-4, 1e-3] });
    expect(decodeWeights(encodeWeights(mine)).metadata).toEqual(mine.metadata);
    expect(decodeWeights(encodeWeights(plain)).metadata).toEqual(plain.metadata);
  });

  it.each<[Partial<WeightsMetadata>, RegExp]>([
    [{ warmup: { steps: 1.5, from: 0.1 } }, /^weights: warmup: expected steps, a whole number, .* got \{"steps":1\.5/],
    [{ warmup: { steps: 10, from: 0 } }, /^weights: warmup: .* from, a number in \(0, 1\], got /],
    [
      { initialLearningRateRange: [1e-3, 1e-4] },
      /^weights: initialLearningRateRange: expected two numbers .* ascending/,
    ],
    [{ initialLearningRateRange: [0, 1] }, /^weights: initialLearningRateRange: .* got \[0,1\]$/],
  ])('metadata that make no sense are refused: %j', (metadata, message) => {
    expect(() => weightsWith(metadata)).toThrow(RangeError);
    expect(() => weightsWith(metadata)).toThrow(message);
  });
});

describe('the annealing of weights', () => {
  const annealed = weightsWith({ annealing: { after: 2, power: 2 } });

  it('shrinks the steps after some with a power of their index', () => {
    const whole = displacements(5, { weights: plain });
    displacements(5, { weights: annealed }).forEach((step, t) => {
      const factor = [1, 1, 1, 4 / 9, 1 / 4][t];
      step.forEach((value, i) => expect(value).toBeCloseTo(factor * whole[t][i], 12));
    });
  });

  it('begins when annealAfter says; Infinity turns it off', () => {
    const off = displacements(5, { weights: annealed, annealAfter: Infinity });
    expect(off).toEqual(displacements(5, { weights: plain }));
    const later = displacements(5, { weights: annealed, annealAfter: 3 });
    expect(later.slice(0, 4)).toEqual(off.slice(0, 4));
    later[4].forEach((value, i) => expect(value).toBeCloseTo((9 / 16) * off[4][i], 12));
  });

  it.each([[0], [-1], [NaN]])('annealAfter %s is refused', (annealAfter) => {
    const create = (): unknown => createOptimizer([normals(4, 1)], { annealAfter });
    expect(create).toThrow(/^annealAfter: expected a number of at least 1, got /);
  });

  it('is kept in the file, and refused when it makes no sense', () => {
    expect(decodeWeights(encodeWeights(annealed)).metadata).toEqual(annealed.metadata);
    expect(() => weightsWith({ annealing: { after: 0, power: 1 } })).toThrow(/^weights: annealing: expected after/);
    expect(() => weightsWith({ annealing: { after: 5, power: -1 } })).toThrow(/^weights: annealing: .* got /);
  });
});

describe('the range of initial learning rates of weights', () => {
  const ranged = weightsWith({ initialLearningRateRange: [1e-4, 1e-3] });

  it.each([
    [1e-6, 1e-4],
    [2e-4, 2e-4],
    [0.1, 1e-3],
  ])('%s starts at %s', (initialLearningRate, expected) => {
    const optimizer = createOptimizer([normals(3, 1)], { weights: ranged, initialLearningRate });
    const { data } = decodeSafetensors(optimizer.saveState()).tensors.get('0.logLearningRate')!;
    expect([...data]).toEqual(Array(3).fill(Math.fround(Math.log(expected))));
  });
});
