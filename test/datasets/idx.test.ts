import { gzipSync } from 'node:zlib';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdxFormatError, parseIdx, readIdx } from '../../lib/datasets/idx';
import { idxBytes } from './idxFiles';

const bytes = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i);

describe('parseIdx', () => {
  it('reads shape and data, compressed or not', () => {
    const file = idxBytes([2, 3], bytes(6));
    for (const content of [file, gzipSync(file)]) {
      const { shape, data } = parseIdx(content, 'f');
      expect(shape).toEqual([2, 3]);
      expect(data).toEqual(bytes(6));
    }
  });

  it('reads elements of several bytes as big-endian', () => {
    const data = Buffer.alloc(8);
    data.writeInt32BE(-5, 0);
    data.writeInt32BE(70_000, 4);
    expect(parseIdx(idxBytes([2], data, 0x0c), 'f').data).toEqual(Int32Array.of(-5, 70_000));
    const double = Buffer.alloc(8);
    double.writeDoubleBE(0.1);
    expect(parseIdx(idxBytes([1], double, 0x0e), 'f').data).toEqual(Float64Array.of(0.1));
    const short = Buffer.alloc(2);
    short.writeInt16BE(-2);
    expect(parseIdx(idxBytes([1], short, 0x0b), 'f').data).toEqual(Int16Array.of(-2));
    const float = Buffer.alloc(4);
    float.writeFloatBE(1.5);
    expect(parseIdx(idxBytes([1], float, 0x0d), 'f').data).toEqual(Float32Array.of(1.5));
    expect(parseIdx(idxBytes([2], Uint8Array.of(255, 1), 0x09), 'f').data).toEqual(Int8Array.of(-1, 1));
  });

  const valid = idxBytes([2, 3], bytes(6));
  it.each([
    ['nothing', Buffer.alloc(0), /0 bytes, expected an idx header/],
    ['another format', Buffer.from('P5 28 28'), /starts with 50352032, expected an idx file/],
    [
      'an unknown element type',
      Buffer.from([0, 0, 7, 1, 0, 0, 0, 0]),
      /element type 0x07, expected one of 0x08, .*0x0e/,
    ],
    ['no dimensions', Buffer.from([0, 0, 8, 0]), /0 dimensions/],
    ['a header cut off', valid.subarray(0, 9), /9 bytes, expected a header of 12 for 2 dimensions/],
    ['data cut off', valid.subarray(0, -1), /5 bytes of data, expected 6 for shape \[2, 3\]; the file is cut off/],
    ['data too long', Buffer.concat([valid, bytes(1)]), /7 bytes of data, expected 6 .* too long/],
    ['sizes beyond any file', idxBytes([0xffffffff, 0xffffffff, 0xffffffff], bytes(3)), /3 bytes of data, expected/],
    ['gzip data cut off', gzipSync(valid).subarray(0, -9), /damaged gzip data/],
  ])('refuses %s', (_, content, message) => {
    expect(() => parseIdx(content, 'some/file')).toThrow(message);
    expect(() => parseIdx(content, 'some/file')).toThrow(IdxFormatError);
    expect(() => parseIdx(content, 'some/file')).toThrow(/^some\/file: /);
  });

  it('gives an array or an IdxFormatError for any bytes', () => {
    const header = fc.constantFrom<number[]>([], [0, 0, 8, 1], [0, 0, 8, 3, 0, 0, 0, 1], [0x1f, 0x8b, 8]);
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 40 }), (start, rest) => {
        try {
          const { shape, data } = parseIdx(Uint8Array.from([...start, ...rest]), 'f');
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(IdxFormatError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('readIdx', () => {
  it('names the file that does not fit', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'idx-'));
    try {
      const path = join(dir, 'images');
      await writeFile(path, idxBytes([2], bytes(1)));
      await expect(readIdx(path)).rejects.toThrow(path);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
