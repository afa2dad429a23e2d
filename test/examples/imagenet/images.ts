import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encode } from 'jpeg-js';
import { PNG } from 'pngjs';

/** RGB of a pixel. */
export type Paint = (x: number, y: number) => readonly [number, number, number];

function rgba(width: number, height: number, paint: Paint): Buffer {
  const data = Buffer.alloc(width * height * 4, 255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set(paint(x, y), (y * width + x) * 4);
  }
  return data;
}

export const jpeg = (width: number, height: number, paint: Paint): Buffer =>
  encode({ width, height, data: rgba(width, height, paint) }, 95).data;

export function png(width: number, height: number, paint: Paint): Buffer {
  const image = new PNG({ width, height });
  rgba(width, height, paint).copy(image.data);
  return PNG.sync.write(image);
}

/** Writes a file and the folders above it. */
export function write(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

/** Two classes, reddish and bluish gradients with another shape for every image: `train` and `val`. */
export function writeImageFolder(folder: string, perClass: number): void {
  for (const part of ['train', 'val']) {
    ['blue', 'red'].forEach((name, label) => {
      for (let i = 0; i < perClass; i++) {
        const paint: Paint = (x, y) => {
          const shade = (7 * x + 3 * y + 31 * i + (part === 'val' ? 17 : 0)) % 200;
          return label === 1 ? [shade + 55, shade / 2, 20] : [20, shade / 2, shade + 55];
        };
        const [width, height] = [40 + i, 36 + 2 * i];
        const path = join(folder, part, name, `${String(i).padStart(3, '0')}`);
        if (i % 3 === 2) write(`${path}.png`, png(width, height, paint));
        else write(`${path}.${i % 3 === 0 ? 'jpg' : 'JPEG'}`, jpeg(width, height, paint));
      }
    });
  }
}

/** An idx file of unsigned bytes. */
export function idx(shape: readonly number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([header, data]);
}

/** Grey 8×8 images of three classes: a bright row whose place tells the class. */
export function writeIdxFolder(folder: string, count: number, part = 'train'): void {
  const pixels = new Uint8Array(count * 64);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 3);
  labels.forEach((label, i) => {
    for (let j = 0; j < 64; j++) pixels[i * 64 + j] = j >> 3 === 1 + 2 * label ? 250 : (13 * i + 5 * j) % 60;
  });
  write(join(folder, `${part}-images-idx3-ubyte.gz`), gzipSync(idx([count, 8, 8], pixels)));
  write(join(folder, `${part}-labels-idx1-ubyte`), idx([count], labels));
}
