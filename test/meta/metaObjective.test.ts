import { describe, expect, it } from 'vitest';
import { PAPER_LOSS_FLOOR as FLOOR, isGivenUp, metaLossOf, metaSlopeOf } from '../../lib/meta/metaObjective';

const VALUES = [0, 1e-9, 1e-3, 0.5, 2, 30, 900, 1090, 1110, 1e6, Infinity, NaN, -1];

describe('meta-objectives', () => {
  it('log: ln(f/f₀ + ε), at most 7', () => {
    expect(metaLossOf('log', 0.5, 2, FLOOR)).toBeCloseTo(Math.log(0.25 + 1e-6), 12);
    expect(metaLossOf('log', 1e-9, 1, 1e-9)).toBeCloseTo(Math.log(2e-9), 12);
    expect(metaLossOf('log', -1, 1, FLOOR)).toBeCloseTo(Math.log(1e-6), 12);
    for (const value of [1e6, Infinity, NaN]) expect(metaLossOf('log', value, 1, FLOOR)).toBe(7);
  });

  it('linear: f/f₀, at most e⁷', () => {
    expect(metaLossOf('linear', 3, 2, FLOOR)).toBe(1.5);
    expect(metaLossOf('linear', 1e9, 2, FLOOR)).toBe(Math.exp(7));
    expect(metaLossOf('linear', NaN, 2, FLOOR)).toBe(Math.exp(7));
  });

  it.each([
    ['log', FLOOR],
    ['log', 1e-10],
    ['linear', FLOOR],
  ] as const)('%s, ε %s: the slope is the derivative, 0 at the bounds', (objective, floor) => {
    for (const value of VALUES) {
      const start = 1.5;
      const h = 1e-6 * (value + floor);
      const difference =
        (metaLossOf(objective, value + h, start, floor) - metaLossOf(objective, value - h, start, floor)) / (2 * h);
      const slope = metaSlopeOf(objective, value, start, floor);
      if (value > 0 && value < 1640) expect(slope / difference).toBeCloseTo(1, 5);
      else if (value !== 0) expect(slope).toBe(0);
    }
  });

  it('give up problems near the bound or without a number', () => {
    expect(isGivenUp(1000, 1)).toBe(false);
    expect([1095, 1e9, NaN, Infinity].every((value) => isGivenUp(value, 1))).toBe(true);
  });
});
