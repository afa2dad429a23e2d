import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import { gunzipSync } from 'node:zlib';

export type IdxData = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** An array in the idx format of the MNIST files. */
export interface IdxArray {
  /** Size of every dimension, outermost first. */
  readonly shape: readonly number[];
  /** Row-major, the machine's byte order. */
  readonly data: IdxData;
}

/** A file is not a valid idx array. The message names the file and what is wrong with it. */
export class IdxFormatError extends Error {
  override readonly name = 'IdxFormatError';
}

interface ElementType {
  readonly bytes: 1 | 2 | 4 | 8;
  readonly from: (bytes: Buffer) => IdxData;
}

/** A copy at offset 0 of its own buffer, so that wider elements are aligned. */
const aligned = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer;

const ELEMENT_TYPES: Readonly<Record<number, ElementType>> = {
  0x08: { bytes: 1, from: (b) => new Uint8Array(aligned(b)) },
  0x09: { bytes: 1, from: (b) => new Int8Array(aligned(b)) },
  0x0b: { bytes: 2, from: (b) => new Int16Array(aligned(b)) },
  0x0c: { bytes: 4, from: (b) => new Int32Array(aligned(b)) },
  0x0d: { bytes: 4, from: (b) => new Float32Array(aligned(b)) },
  0x0e: { bytes: 8, from: (b) => new Float64Array(aligned(b)) },
};

const MAX_BYTES = 2 ** 30;

function swapToHost(bytes: Buffer, width: 1 | 2 | 4 | 8): Buffer {
  if (width === 1 || endianness() === 'BE') return bytes;
  const copy = Buffer.from(bytes);
  return width === 2 ? copy.swap16() : width === 4 ? copy.swap32() : copy.swap64();
}

function inflate(bytes: Buffer, source: string): Buffer {
  const gzipped = bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!gzipped) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
  } catch (error) {
    throw new IdxFormatError(
      `${source}: damaged gzip data (${(error as Error).message}); delete the file and fetch it again`,
      { cause: error },
    );
  }
}

/**
 * Decodes an idx array (Yann LeCun's format: two zero bytes, element type, number of dimensions, sizes as big-endian
 * 32-bit integers, then the elements). Gzip-compressed bytes are recognised by their first two bytes.
 * @param source names the bytes in error messages.
 * @throws {IdxFormatError} if a header field is invalid or the number of elements is not what the header says.
 */
export function parseIdx(bytes: Uint8Array, source: string): IdxArray {
  const buffer = inflate(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), source);
  if (buffer.length < 4) {
    throw new IdxFormatError(`${source}: ${buffer.length} bytes, expected an idx header of at least 4`);
  }
  if (buffer[0] !== 0 || buffer[1] !== 0) {
    const start = buffer.subarray(0, 4).toString('hex');
    throw new IdxFormatError(`${source}: starts with ${start}, expected an idx file, which starts with 0000`);
  }
  const type = ELEMENT_TYPES[buffer[2]];
  if (!type) {
    const known = Object.keys(ELEMENT_TYPES).map((k) => `0x${Number(k).toString(16).padStart(2, '0')}`);
    throw new IdxFormatError(
      `${source}: element type 0x${buffer[2].toString(16).padStart(2, '0')}, expected one of ${known.join(', ')}`,
    );
  }
  const dimensions = buffer[3];
  if (dimensions < 1) {
    throw new IdxFormatError(`${source}: 0 dimensions, expected at least 1`);
  }
  const headerBytes = 4 + 4 * dimensions;
  if (buffer.length < headerBytes) {
    throw new IdxFormatError(
      `${source}: ${buffer.length} bytes, expected a header of ${headerBytes} for ${dimensions} dimensions`,
    );
  }
  const shape = Array.from({ length: dimensions }, (_, i) => buffer.readUInt32BE(4 + 4 * i));
  const expected = shape.reduce((product, size) => product * size, type.bytes);
  const actual = buffer.length - headerBytes;
  if (actual !== expected) {
    throw new IdxFormatError(
      `${source}: ${actual} bytes of data, expected ${expected} for shape [${shape.join(', ')}]; the file is ${actual < expected ? 'cut off' : 'too long'}`,
    );
  }
  return { shape, data: type.from(swapToHost(buffer.subarray(headerBytes), type.bytes)) };
}

/**
 * Reads an idx or idx.gz file.
 * @throws {IdxFormatError} if its content is not an idx array; the error of `readFile` if it cannot be read.
 */
export async function readIdx(path: string): Promise<IdxArray> {
  return parseIdx(await readFile(path), path);
}
