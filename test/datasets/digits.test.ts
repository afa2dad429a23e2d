import { describe, expect, it } from 'vitest';
import { loadDigits, loadDigitsDataset } from '../../lib/datasets/digits';
import { features } from '../../lib/datasets/images';

const counts = (labels: Uint8Array): number[] => {
  const result = new Array<number>(10).fill(0);
  for (const label of labels) result[label]++;
  return result;
};

describe('digits', () => {
  const digits = loadDigits();

  it('are the 1,797 digits of the UCI test set', () => {
    expect(digits).toMatchObject({ count: 1797, height: 8, width: 8, maximum: 16 });
    expect(counts(digits.labels)).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    expect([...digits.pixels.subarray(0, 8)]).toEqual([0, 0, 5, 13, 9, 1, 0, 0]);
  });

  it('have features from 0 to 1', () => {
    const all = features(digits);
    expect(all.reduce((a, b) => Math.max(a, b))).toBe(1);
    expect(all.reduce((a, b) => Math.min(a, b))).toBe(0);
    expect(all[2]).toBe(5 / 16);
  });

  it('are split alike every time, without loss, with every class in both parts', () => {
    const { train, test, provenance } = loadDigitsDataset();
    expect([train.count, test.count]).toEqual([1437, 360]);
    const total = counts(train.labels).map((n, i) => n + counts(test.labels)[i]);
    expect(total).toEqual(counts(digits.labels));
    expect(Math.min(...counts(test.labels))).toBeGreaterThan(20);
    expect(loadDigitsDataset().test.pixels).toEqual(test.pixels);
    expect(provenance).toContain('CC BY 4.0');
  });
});
