import { describe, expect, it } from 'vitest';
import {
  cosineRate,
  createMetaOptimizer,
  MetaAdam,
  PAPER_META_OPTIMIZER,
  PAPER_META_RATE,
  rateAt,
} from '../../lib/meta/metaOptimizers';
import type { MetaOptimizerConfig } from '../../lib/meta/metaOptimizers';
import { createRandom } from '../../lib/random';

const SIZE = 50;
function draw(seed: number): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length: SIZE }, () => random.normal());
}
const all: readonly MetaOptimizerConfig[] = [
  { kind: 'adam' },
  { kind: 'adam', weightDecay: 0.1 },
  PAPER_META_OPTIMIZER,
];

describe('meta-optimizers', () => {
  it('Adam: the first step of every entry is the rate, whatever the gradient', () => {
    const parameters = draw(1);
    const before = parameters.slice();
    const gradient = draw(2);
    const norm = new MetaAdam(SIZE).step(parameters, gradient, 1e-2, Infinity);
    expect(norm).toBeCloseTo(Math.hypot(...gradient), 12);
    parameters.forEach((p, i) => expect(p - before[i]).toBeCloseTo(-1e-2 * Math.sign(gradient[i]), 6));
  });

  it('Adam: equals its equations over many steps, with clipping of the norm', () => {
    const adam = new MetaAdam(SIZE, 0.9, 0.99, 1e-8);
    const parameters = draw(1);
    const expected = parameters.slice();
    const [m, v] = [new Float64Array(SIZE), new Float64Array(SIZE)];
    for (let t = 1; t <= 30; t++) {
      const gradient = draw(100 + t);
      adam.step(parameters, gradient, 1e-3, 2);
      const norm = Math.hypot(...gradient);
      expect(norm).toBeGreaterThan(2);
      expected.forEach((p, i) => {
        const g = (gradient[i] * 2) / norm;
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.99 * v[i] + 0.01 * g * g;
        expected[i] = p - (1e-3 * (m[i] / (1 - 0.9 ** t))) / (Math.sqrt(v[i] / (1 - 0.99 ** t)) + 1e-8);
      });
    }
    parameters.forEach((p, i) => expect(p).toBeCloseTo(expected[i], 12));
  });

  it('AdamW: shrinks parameters by rate times decay, apart from the step', () => {
    const [plain, decayed] = [draw(1), draw(1)];
    new MetaAdam(SIZE).step(plain, draw(2), 1e-2, Infinity);
    createMetaOptimizer({ kind: 'adam', weightDecay: 0.5 }, SIZE).step(decayed, draw(2), 1e-2, Infinity);
    draw(1).forEach((p, i) => expect(plain[i] - decayed[i]).toBeCloseTo(1e-2 * 0.5 * p, 12));
  });

  it('Adam: a gradient that is not finite moves nothing', () => {
    const adam = new MetaAdam(SIZE);
    const parameters = draw(1);
    const gradient = draw(2);
    gradient[7] = NaN;
    expect(adam.step(parameters, gradient, 1e-2, 1)).toBeNaN();
    expect(parameters).toEqual(draw(1));
    expect(adam.steps).toBe(0);
  });

  it('RMSProp of the paper: entries that are not finite count as 0, large ones as 1e4, the mean square starts at 1', () => {
    const optimizer = createMetaOptimizer(PAPER_META_OPTIMIZER, 4);
    const parameters = new Float64Array(4);
    const step = (gradient: number[]): number =>
      optimizer.step(parameters, Float64Array.from(gradient), PAPER_META_RATE, Infinity);
    expect(step([NaN, Infinity, 1e9, -3])).toBeCloseTo(Math.hypot(1e4, 3), 6);
    const first = (g: number): number => (-1e-6 * g) / Math.sqrt(0.9 + 0.1 * g * g);
    [0, 0, first(1e4), first(-3)].forEach((p, i) => expect(parameters[i]).toBeCloseTo(p, 15));
    step([0, 0, 0, 2]);
    const s = 0.9 * (0.9 + 0.1 * 9) + 0.1 * 4;
    expect(parameters[3]).toBeCloseTo(first(-3) - (1e-6 * 2) / Math.sqrt(s), 15);
  });

  it.each(all.map((config) => [JSON.stringify(config), config] as const))(
    'continue from exported state with the same bits: %s',
    (_, config) => {
      const walk = (optimizer: ReturnType<typeof createMetaOptimizer>, from: Float64Array, first: number) => {
        for (let t = first; t < first + 10; t++) optimizer.step(from, draw(t), 1e-3, 1);
        return from;
      };
      const optimizer = createMetaOptimizer(config, SIZE);
      const middle = walk(optimizer, draw(1), 10).slice();
      const state = optimizer.exportState();
      const end = walk(optimizer, middle.slice(), 20);
      const other = createMetaOptimizer(config, SIZE);
      other.importState(state);
      expect(walk(other, middle.slice(), 20)).toEqual(end);
      const [name] = Object.keys(state).slice(-1);
      expect(() => other.importState({ ...state, [name]: new Float64Array(3) })).toThrow(
        `state.${name}: expected length ${SIZE}, got 3`,
      );
    },
  );

  it('refuse an unknown kind', () => {
    expect(() => createMetaOptimizer({ kind: 'sgd' } as never, 3)).toThrow(
      `kind: expected 'adam' or 'rmsprop', got "sgd"`,
    );
  });

  it('rates: constant, or warm-up over 2 % and a cosine', () => {
    expect(rateAt({ kind: 'constant', rate: 3 }, 0.7)).toBe(3);
    const cosine = (progress: number): number => rateAt({ kind: 'cosine', peak: 2, final: 0.1 }, progress);
    expect(cosine(0.3)).toBe(cosineRate(2, 0.1, 0.3));
    expect(cosine(0)).toBeCloseTo(0.04, 10);
    expect(cosine(0.02)).toBeCloseTo(2, 2);
    expect(cosine(0.5)).toBeCloseTo(1.1, 10);
    expect(cosine(1)).toBeCloseTo(0.2, 10);
  });
});
