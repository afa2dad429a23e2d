import { gzipSync } from 'node:zlib';

/** An idx file of unsigned bytes. */
export function idxBytes(shape: readonly number[], data: Uint8Array, type: number = 0x08): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = type;
  header[3] = shape.length;
  shape.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([header, data]);
}

/** Compressed image and label files of `count` images of 4×3, image i filled with i, class i mod 10. */
export function imagePair(count: number): { images: Buffer; labels: Buffer } {
  const pixels = Uint8Array.from({ length: count * 12 }, (_, i) => Math.floor(i / 12) % 256);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
  return { images: gzipSync(idxBytes([count, 4, 3], pixels)), labels: gzipSync(idxBytes([count], labels)) };
}
