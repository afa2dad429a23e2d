import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Homes } from '../../lib/cluster/homes';

/** Which worker each family has, as text. */
function map(homes: Homes, families: number): string {
  return Array.from({ length: families }, (_, family) => homes.of(family) ?? '-').join('');
}

/** Iterations in which every part takes its cost times its worker's pace. */
function iterate(homes: Homes, costs: readonly number[], paces: Readonly<Record<string, number>>, times: number): void {
  for (let i = 0; i < times; i++) {
    costs.forEach((cost, family) => {
      const worker = homes.of(family)!;
      homes.done(family, worker, cost * paces[worker]);
    });
  }
}

const longest = (homes: Homes, costs: readonly number[], paces: Readonly<Record<string, number>>): number =>
  Math.max(
    ...Object.keys(paces).map((worker) =>
      costs.reduce((sum, cost, family) => sum + (homes.of(family) === worker ? cost * paces[worker] : 0), 0),
    ),
  );

describe('homes of families', () => {
  it('are nowhere without workers, and with whoever did the first part until they are divided', () => {
    const homes = new Homes([1, 1]);
    homes.divide(new Set(), 0);
    expect(map(homes, 2)).toBe('--');
    homes.done(1, 'a', 1);
    expect(map(homes, 2)).toBe('-a');
  });

  it('make the longest of the workers short', () => {
    const homes = new Homes([5, 4, 3, 3, 3]);
    homes.divide(new Set(['a', 'b']), 0);
    // The longest family first to whoever has least makes 10; swapping two, 9.
    expect(longest(homes, [5, 4, 3, 3, 3], { a: 1, b: 1 })).toBe(9);
  });

  it('stay where they are when nothing is gained, and when another worker goes', () => {
    const homes = new Homes([4, 3, 2, 1]);
    homes.divide(new Set(['a', 'b', 'c']), 0);
    const before = map(homes, 4);
    expect(before).toBe('abcc');
    homes.divide(new Set(['a', 'b', 'c']), 1e6);
    expect(map(homes, 4)).toBe(before);
    homes.divide(new Set(['a', 'c']), 2e6);
    expect([0, 2].map((family) => homes.of(family))).toEqual(['a', 'c']);
    expect(longest(homes, [4, 3, 2, 1], { a: 1, c: 1 })).toBe(5);
  });

  it('are shared with a worker that joins', () => {
    const homes = new Homes([1, 1, 1, 1]);
    homes.divide(new Set(['a']), 0);
    homes.divide(new Set(['a', 'b']), 1e6);
    expect([...map(homes, 4)].filter((worker) => worker === 'b')).toHaveLength(2);
  });

  it('move no more often than every five seconds, sooner after a worker has come', () => {
    const homes = new Homes([1, 1, 1, 1]);
    const both = new Set(['a', 'b']);
    /** What a family has on each worker, once its other families turn out to be longer. */
    const moves = (now: number): boolean => {
      const before = map(homes, 4);
      // Whoever has the second family is slower than was thought.
      for (let i = 0; i < 30; i++) {
        const slow = homes.of(1);
        [0, 1, 2, 3].forEach((family) => homes.done(family, homes.of(family)!, homes.of(family) === slow ? 5 : 1));
      }
      homes.divide(both, now);
      return map(homes, 4) !== before;
    };
    homes.divide(both, 0);
    expect([1000, 1400, 2000, 3999].map(moves)).toEqual([true, false, true, false]);
    expect([4000, 7999, 8000, 12999, 13000].map(moves)).toEqual([true, false, true, false, true]);
  });

  it('leave a slow worker little to do, once that is seen', () => {
    const costs = Array<number>(12).fill(1);
    const paces = { a: 1, b: 1, c: 4 };
    const homes = new Homes(costs);
    homes.divide(new Set(['a', 'b', 'c']), 0);
    expect(longest(homes, costs, paces)).toBe(16);
    for (let round = 1; round <= 5; round++) {
      iterate(homes, costs, paces, 10);
      homes.divide(new Set(['a', 'b', 'c']), 1e4 * round);
    }
    // 12 / (1 + 1 + 1/4) = 5.33 were families divisible.
    expect(longest(homes, costs, paces)).toBeLessThanOrEqual(6);
  });

  it('follow costs that are not as they were thought to be', () => {
    const cost = fc.double({ min: 0.1, max: 10, noNaN: true });
    const error = fc.double({ min: 0.5, max: 2, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(cost, error), { minLength: 4, maxLength: 30 }), (pairs) => {
        const costs = pairs.map(([actual]) => actual);
        const homes = new Homes(pairs.map(([actual, factor]) => actual * factor));
        const paces = { a: 0.01, b: 0.01, c: 0.01 };
        for (let round = 0; round < 20; round++) {
          homes.divide(new Set(Object.keys(paces)), 1e4 * round);
          iterate(homes, costs, paces, 20);
        }
        costs.forEach((actual, family) => expect(homes.expected(family)! / (actual * 0.01)).toBeCloseTo(1, 1));
        const sorted = costs.map((actual) => 0.01 * actual).sort((a, b) => b - a);
        // Of four families some worker has two.
        const least = Math.max(sorted.reduce((a, b) => a + b, 0) / 3, sorted[0], sorted[2] + sorted[3]);
        expect(longest(homes, costs, paces)).toBeLessThan(1.5 * least);
      }),
      { numRuns: 200 },
    );
  });
});
