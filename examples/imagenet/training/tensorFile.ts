import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { replaceFileAtomic, writeFully } from '../../../lib/atomicFile';

/**
 * Safetensors files written and read tensor by tensor. A checkpoint of 25 million parameters with the state of their
 * optimizer has over 2 GB, more than Node reads at once, and need not be in memory twice.
 * @see https://huggingface.co/docs/safetensors
 */

export type TensorData = Float32Array | Int32Array;

/** A tensor to be written; `read` is called once, in turn. */
export interface TensorSource {
  readonly name: string;
  readonly dtype: 'F32' | 'I32';
  readonly shape: readonly number[];
  read(): TensorData;
}

interface HeaderEntry {
  readonly dtype: 'F32' | 'I32';
  readonly shape: number[];
  readonly data_offsets: [begin: number, end: number];
}

const BYTES = 4;
const MAX_HEADER_BYTES = 16_000_000;
const MAX_READ = 2 ** 30;

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/**
 * Writes a file atomically.
 * @throws {RangeError} if a tensor has other data than it said, or two have one name; the file is as it was then
 */
export function writeTensorFile(
  path: string,
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>>,
): void {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    if (Object.hasOwn(header, name)) throw new RangeError(`tensor '${name}': expected a name of its own`);
    const end = offset + BYTES * elements(shape);
    header[name] = { dtype, shape: [...shape], data_offsets: [offset, end] } satisfies HeaderEntry;
    offset = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / 8) * 8;
  const start = new Uint8Array(8 + length).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(length), true);
  start.set(text, 8);
  replaceFileAtomic(path, (file) => {
    writeFully(file, start);
    for (const { name, dtype, shape, read } of tensors) {
      const data = read();
      const fits = dtype === 'F32' ? data instanceof Float32Array : data instanceof Int32Array;
      if (!fits || data.length !== elements(shape)) {
        throw new RangeError(
          `tensor '${name}': expected ${elements(shape)} values of ${dtype}, got ${data.length} in a ${data.constructor.name}`,
        );
      }
      writeFully(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });
}

function isEntry(value: unknown, size: number): value is HeaderEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Partial<HeaderEntry>;
  return (
    (dtype === 'F32' || dtype === 'I32') &&
    Array.isArray(shape) &&
    shape.every((n) => Number.isSafeInteger(n) && n >= 0) &&
    Array.isArray(offsets) &&
    offsets.length === 2 &&
    offsets.every((n) => Number.isSafeInteger(n) && n >= 0) &&
    offsets[1] - offsets[0] === BYTES * elements(shape) &&
    offsets[1] <= size
  );
}

/** A file that is open for reading. */
export class TensorFile {
  readonly metadata: Readonly<Record<string, string>>;
  private readonly entries: ReadonlyMap<string, HeaderEntry>;
  private readonly file: number;
  private readonly start: number;

  /** @throws {Error} naming the file if it cannot be read or is no safetensors file of F32 and I32 */
  constructor(private readonly path: string) {
    this.file = openSync(path, 'r');
    try {
      const size = fstatSync(this.file).size;
      const length = size < 8 ? NaN : Number(this.bytes(0, 8).readBigUInt64LE(0));
      if (!(length <= Math.min(size - 8, MAX_HEADER_BYTES))) throw this.damaged('it ends before its header does');
      this.start = 8 + length;
      const { __metadata__, ...tensors } = this.parse(this.bytes(8, length));
      for (const [name, entry] of Object.entries(tensors)) {
        if (!isEntry(entry, size - this.start)) throw this.damaged(`tensor '${name}' does not fit into it`);
      }
      this.entries = new Map(Object.entries(tensors as Record<string, HeaderEntry>));
      this.metadata = (__metadata__ ?? {}) as Record<string, string>;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private damaged(what: string): Error {
    return new Error(`${this.path}: expected a safetensors file, but ${what}`);
  }

  private parse(bytes: Buffer): Record<string, unknown> {
    try {
      return JSON.parse(bytes.toString()) as Record<string, unknown>;
    } catch {
      throw this.damaged('its header is not JSON');
    }
  }

  private bytes(position: number, length: number): Buffer {
    const bytes = Buffer.from(new ArrayBuffer(length));
    for (let done = 0; done < length;) {
      const read = readSync(this.file, bytes, done, Math.min(length - done, MAX_READ), position + done);
      if (read === 0) throw this.damaged(`it ends at byte ${position + done}`);
      done += read;
    }
    return bytes;
  }

  /** Names in the order of the file. */
  get names(): string[] {
    return [...this.entries.keys()];
  }

  /**
   * Reads one tensor.
   * @throws {RangeError} naming the file if it has no such tensor
   */
  read(name: string): { readonly shape: number[]; readonly data: TensorData } {
    const entry = this.entries.get(name);
    if (entry === undefined) throw new RangeError(`${this.path}: there is no tensor '${name}'`);
    const [begin, end] = entry.data_offsets;
    const { buffer } = this.bytes(this.start + begin, end - begin);
    return { shape: entry.shape, data: entry.dtype === 'F32' ? new Float32Array(buffer) : new Int32Array(buffer) };
  }

  close(): void {
    closeSync(this.file);
  }
}
