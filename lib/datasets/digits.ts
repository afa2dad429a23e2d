import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { packageRoot } from '../packageRoot';
import { createRandom } from '../random';
import { randomSplit, type ImageDataset, type LabelledImages } from './images';

const SIDE = 8;
const MAXIMUM = 16;
const CLASSES = 10;
const TEST_COUNT = 360;

/** Reads rows "pixel,…,pixel,class". */
function parse(text: string, path: string): LabelledImages {
  const rows = text.trim().split('\n');
  const size = SIDE * SIDE;
  const pixels = new Uint8Array(rows.length * size);
  const labels = new Uint8Array(rows.length);
  rows.forEach((row, index) => {
    const values = row.split(',').map(Number);
    const valid =
      values.length === size + 1 &&
      values.every((v, i) => Number.isInteger(v) && v >= 0 && v <= (i < size ? MAXIMUM : CLASSES - 1));
    if (!valid) {
      throw new Error(
        `${path}, row ${index + 1}: expected ${size} integers 0–${MAXIMUM} and a class 0–${CLASSES - 1}; the file is damaged, reinstall the package`,
      );
    }
    pixels.set(values.slice(0, size), index * size);
    labels[index] = values[size];
  });
  return { pixels, labels, count: rows.length, height: SIDE, width: SIDE, maximum: MAXIMUM };
}

/**
 * The 1,797 handwritten 8×8 digits that ship with the package (UCI, *Optical Recognition of Handwritten Digits*, CC BY 4.0;
 * see `data/digits/README.md`). Features are pixels / 16.
 * @throws {Error} if the file is missing or damaged.
 */
export function loadDigits(): LabelledImages {
  const path = join(packageRoot, 'data', 'digits', 'digits.csv.gz');
  return parse(gunzipSync(readFileSync(path)).toString('latin1'), path);
}

/** The digits split at random, always alike: 1,437 to train, 360 to test. */
export function loadDigitsDataset(): ImageDataset {
  const images = loadDigits();
  const [train, test] = randomSplit(images, images.count - TEST_COUNT, createRandom(0));
  return {
    name: 'digits',
    title: 'Digits 8×8',
    classes: Array.from({ length: CLASSES }, (_, i) => String(i)),
    train,
    test,
    provenance:
      `${images.count.toLocaleString('en')} handwritten digits, 8×8 pixels, embedded in the package (UCI Optical Recognition of Handwritten Digits, ` +
      `Alpaydin & Kaynak 1998, CC BY 4.0), split at random into ${train.count.toLocaleString('en')} to train and ${test.count} to test`,
  };
}
