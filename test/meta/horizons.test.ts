import { describe, expect, it } from 'vitest';
import { drawTruncation, drawTruncations, PAPER_HORIZON } from '../../lib/meta/horizons';
import type { Horizon } from '../../lib/meta/horizons';
import { createRandom } from '../../lib/random';

function sample(draw: (random: ReturnType<typeof createRandom>) => number, n = 20_000): number[] {
  const random = createRandom(1);
  return Array.from({ length: n }, () => draw(random)).sort((a, b) => a - b);
}
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const quantile = (sorted: readonly number[], q: number): number => sorted[Math.floor(q * sorted.length)];

describe('horizons', () => {
  it('heavy-tailed: round(Exp(40)) + 1 truncations of round(Exp(200)) + 50 steps', () => {
    const truncations = sample((random) => drawTruncations(PAPER_HORIZON, 0, 1, random));
    const steps = sample((random) => drawTruncation(PAPER_HORIZON, 0, random));
    for (const [values, scale, least] of [
      [truncations, 40, 1],
      [steps, 200, 50],
    ] as const) {
      expect(values[0]).toBe(least);
      expect(values.every(Number.isInteger)).toBe(true);
      expect(Math.abs(mean(values) / (scale + least) - 1)).toBeLessThan(0.03);
      // Of an exponential distribution: medians and 99th percentiles.
      expect(Math.abs((quantile(values, 0.5) - least) / (scale * Math.log(2)) - 1)).toBeLessThan(0.05);
      expect(Math.abs((quantile(values, 0.99) - least) / (scale * Math.log(100)) - 1)).toBeLessThan(0.05);
    }
  });

  it('log-uniform: between the shortest and the longest times the factor, in truncations of a fixed length', () => {
    const horizon: Horizon = [50, 2000];
    expect(sample((random) => drawTruncation(horizon, 40, random), 10)).toEqual(new Array(10).fill(40));
    const values = sample((random) => drawTruncations(horizon, 10, 0.5, random));
    expect(values[0]).toBe(5);
    expect(values.at(-1)).toBe(100);
    // The median is the geometric mean of the ends.
    expect(Math.abs(quantile(values, 0.5) / Math.sqrt(5 * 100) - 1)).toBeLessThan(0.05);
  });

  it('a factor that would make the longest shorter than the shortest makes it equal', () => {
    expect(sample((random) => drawTruncations([50, 100], 10, 0.1, random), 10)).toEqual(new Array(10).fill(5));
  });
});
