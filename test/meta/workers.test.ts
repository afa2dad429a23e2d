import { describe, expect, it } from 'vitest';
import { CORPUS_NAMES, corpusEntries } from '../../lib/meta/corpus';
import type { CorpusChoice } from '../../lib/meta/corpus';
import { divideFamilies } from '../../lib/meta/workers';
import { coordinatesOf } from '../../lib/problems/lanes/family';

/** Work of the busiest thread as a share of all, a tensor counted as seven coordinates. */
function busiestShare(corpus: CorpusChoice, threads: number): number {
  const costs = corpusEntries(corpus).map(({ family, blocks }) => {
    return blocks * (coordinatesOf(family) + 7 * family.lengths.length);
  });
  const sum = (indices: readonly number[]): number => indices.reduce((total, i) => total + costs[i], 0);
  return Math.max(...divideFamilies(threads, corpus).map(sum)) / sum(costs.map((_, i) => i));
}

describe('the division of families among threads', () => {
  it.each(CORPUS_NAMES.filter((name) => name !== 'none'))(
    'gives every family of %s to one thread, and no thread nothing',
    (corpus) => {
      const count = corpusEntries({ corpus }).length;
      for (const threads of [1, 2, 3, 7, 1000]) {
        const shards = divideFamilies(threads, { corpus });
        expect(shards).toHaveLength(Math.min(threads, count));
        expect(shards.every(({ length }) => length > 0)).toBe(true);
        expect(shards.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      }
    },
  );

  it('is even until the most expensive family has a thread of its own', () => {
    const [own, paper] = [{ corpus: 'default' }, { corpus: 'paper' }] as const;
    expect(busiestShare(own, 2)).toBeLessThan(0.51);
    expect(busiestShare(own, 3)).toBeLessThan(0.41);
    expect(busiestShare(own, 100)).toBe(busiestShare(own, 3));
    expect(busiestShare(paper, 6)).toBeLessThan(0.17);
    expect(busiestShare(paper, 100)).toBe(busiestShare(paper, 8));
  });

  it('is even on as many times the threads with copies of the families', () => {
    expect(busiestShare({ corpus: 'default', copies: 4 }, 8)).toBeLessThan(1.05 / 8);
    expect(busiestShare({ corpus: 'paper', copies: 8 }, 48)).toBeLessThan(1.05 / 48);
  });
});
