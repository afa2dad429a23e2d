import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { heldOutImages } from '../../lib/experiments/experiment/heldOutImages';
import { MissingDataError } from '../../lib/experiments/tasks/data';
import { imagePair } from '../datasets/idxFiles';

const folder = mkdtempSync(join(tmpdir(), 'held-out-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A folder's files of one part, of which image i is filled with i mod 256. */
function write(part: 'train' | 't10k', count: number, dir = mkdtempSync(join(folder, 'mnist-'))): string {
  const { images, labels } = imagePair(count);
  writeFileSync(join(dir, `${part}-images-idx3-ubyte.gz`), images);
  writeFileSync(join(dir, `${part}-labels-idx1-ubyte.gz`), labels);
  return dir;
}

describe('heldOutImages', () => {
  it.each([
    ['alone', () => write('t10k', 10_000)],
    ['beside those to train', () => write('train', 50, write('t10k', 10_000))],
  ])('are the last 2,000 of the t10k files, %s', async (_, dataDir) => {
    const { kind, train, test } = await heldOutImages({ dataDir: dataDir() });
    expect([kind, train.count, test.count]).toEqual(['mnist', 8000, 2000]);
    expect([train.pixels[0], test.pixels[0]]).toEqual([0, 8000 % 256]);
  });

  it('refuses a folder with fewer', async () => {
    const dataDir = write('t10k', 90);
    await expect(heldOutImages({ dataDir })).rejects.toThrow(MissingDataError);
    await expect(heldOutImages({ dataDir })).rejects.toThrow(/expected the 10,000 images .* got 90/);
  });

  it('are embedded digits where there is no folder, and say so', async () => {
    const { kind, train, test, provenance, note } = await heldOutImages({});
    expect([kind, train.count, test.count]).toEqual(['digits', 1437, 360]);
    expect(provenance).toMatch(/^not MNIST \(no --data-dir\)/);
    expect(note).toMatch(/not MNIST.*--data-dir/);
  });
});
