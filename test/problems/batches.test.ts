import { describe, expect, it } from 'vitest';
import { batchSource } from '../../lib/problems/batches';
import type { Problem } from '../../lib/problems/problem';
import { createRandom } from '../../lib/random';

const problem = { sampleCount: 50 } as Problem;

describe('minibatches', () => {
  it('of an epoch hold every sample at most once, in another order in the next epoch', () => {
    const draw = batchSource(problem, 'epochs', createRandom(1));
    const epoch = (): number[] =>
      Array.from({ length: 5 }, () => {
        const batch = new Int32Array(10);
        draw(batch);
        return [...batch];
      }).flat();
    const [first, second] = [epoch(), epoch()];
    expect(new Set(first).size).toBe(50);
    expect(new Set(second).size).toBe(50);
    expect(second).not.toEqual(first);
  });

  it('leave out the samples that do not fill a batch', () => {
    const draw = batchSource(problem, 'epochs', createRandom(2));
    const batch = new Int32Array(30);
    const seen: number[] = [];
    for (let i = 0; i < 20; i++) {
      draw(batch);
      expect(new Set(batch).size).toBe(30);
      seen.push(...batch);
    }
    expect(new Set(seen).size).toBe(50);
  });

  it('larger than the data are refused', () => {
    const draw = batchSource(problem, 'epochs', createRandom(3));
    expect(() => draw(new Int32Array(51))).toThrow(/expected at most 50 samples, got 51/);
  });

  it('with replacement hold every sample equally often', () => {
    const draw = batchSource(problem, 'replacement', createRandom(4));
    const batch = new Int32Array(50_000);
    draw(batch);
    const counts = new Float64Array(50);
    for (const index of batch) counts[index]++;
    // Binomial with mean 1,000 and standard deviation 31.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
