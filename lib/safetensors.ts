/**
 * The safetensors format: 8 bytes little-endian header length, a JSON header, then the tensors' bytes without gaps.
 * @see https://huggingface.co/docs/safetensors
 */

export type SafetensorsData = Float32Array | Float64Array | BigInt64Array;

export interface SafetensorsTensor {
  readonly shape: readonly number[];
  /** Row-major, as many elements as the product of `shape`. */
  readonly data: SafetensorsData;
}

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

export type SafetensorsErrorCode =
  | 'TRUNCATED' // the bytes end before the header or the data do
  | 'HEADER_TOO_LARGE'
  | 'BAD_HEADER' // not UTF-8, not JSON, not an object
  | 'BAD_METADATA'
  | 'DUPLICATE_NAME' // of tensors, or within an entry or the metadata
  | 'BAD_TENSOR' // an entry without dtype, shape or data_offsets of the right form
  | 'UNSUPPORTED_DTYPE'
  | 'SIZE_MISMATCH' // shape times element size is not the length of the range
  | 'BAD_OFFSETS'; // overlapping ranges, holes, ranges outside the data

/** A file that is not valid safetensors; `code` says how. */
export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError';
  constructor(
    readonly code: SafetensorsErrorCode,
    message: string,
  ) {
    // A damaged file may have names of megabytes.
    super(`safetensors: ${message.length > 500 ? `${message.slice(0, 500)}…` : message}`);
  }
}

/**
 * The format allows 100 MB. Weights and states need about 100 bytes per tensor, and JSON can take 50 times its length in
 * memory, so that a file made for it would exhaust the heap.
 */
const MAX_HEADER_BYTES = 16_000_000;
/** A header is an object of objects of lists; what is much deeper is none. */
const MAX_HEADER_DEPTH = 8;

const DTYPES = {
  F32: { bytes: 4, make: (b: ArrayBuffer): SafetensorsData => new Float32Array(b) },
  F64: { bytes: 8, make: (b: ArrayBuffer): SafetensorsData => new Float64Array(b) },
  I64: { bytes: 8, make: (b: ArrayBuffer): SafetensorsData => new BigInt64Array(b) },
} as const;
type Dtype = keyof typeof DTYPES;

function dtypeOf(data: SafetensorsData): Dtype {
  if (data instanceof Float32Array) return 'F32';
  if (data instanceof Float64Array) return 'F64';
  if (data instanceof BigInt64Array) return 'I64';
  throw new TypeError('safetensors: tensor data: expected Float32Array, Float64Array or BigInt64Array');
}

const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

/** Shapes in messages are cut short: a damaged file may hold one of millions of sizes. */
function shapeText(shape: readonly number[]): string {
  return `[${shape.slice(0, 8).join(', ')}${shape.length > 8 ? ', …' : ''}]`;
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Serialises tensors and string metadata. The data keep the order of the tensors; the same input gives the same bytes.
 * @throws TypeError on data of another type; RangeError when a shape does not match its data, a name is used twice, or
 * there are more names than a header can hold.
 */
export function encodeSafetensors(file: {
  readonly tensors: Iterable<readonly [string, SafetensorsTensor]>;
  readonly metadata?: Readonly<Record<string, string>>;
}): Uint8Array {
  // Without a prototype, '__proto__' is a name like any other.
  const header = Object.create(null) as Record<string, unknown>;
  if (file.metadata !== undefined) header['__metadata__'] = { ...file.metadata };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of file.tensors) {
    if (name === '__metadata__' || Object.hasOwn(header, name)) {
      throw new RangeError(`safetensors: tensor name '${name}' is reserved or used twice`);
    }
    if (!tensor.shape.every(isSize)) {
      throw new RangeError(
        `safetensors: tensor '${name}': shape: expected integers of at least 0, got ${shapeText(tensor.shape)}`,
      );
    }
    if (elementCount(tensor.shape) !== tensor.data.length) {
      throw new RangeError(
        `safetensors: tensor '${name}': shape ${shapeText(tensor.shape)} needs ${elementCount(tensor.shape)} elements, got ${tensor.data.length}`,
      );
    }
    const bytes = new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
    header[name] = {
      dtype: dtypeOf(tensor.data),
      shape: [...tensor.shape],
      data_offsets: [offset, offset + bytes.length],
    };
    parts.push(bytes);
    offset += bytes.length;
  }
  const headerBytes = new TextEncoder().encode(JSON.stringify(header));
  // Spaces at the end keep the data 8-byte aligned in the file.
  const headerLength = Math.ceil(headerBytes.length / 8) * 8;
  if (headerLength > MAX_HEADER_BYTES) {
    throw new RangeError(
      `safetensors: tensors and metadata: expected a header of at most ${MAX_HEADER_BYTES} bytes, got ${headerLength}`,
    );
  }
  const out = new Uint8Array(8 + headerLength + offset);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerLength), true);
  out.set(headerBytes, 8);
  out.fill(0x20, 8 + headerBytes.length, 8 + headerLength);
  let position = 8 + headerLength;
  for (const part of parts) {
    out.set(part, position);
    position += part.length;
  }
  return out;
}

/**
 * Reads a safetensors file. Tensors are copies, so the input may be reused; they come in the order of their data.
 * @throws SafetensorsError with one of the codes above; nothing else, whatever the bytes are.
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  if (bytes.length < 8) throw new SafetensorsError('TRUNCATED', `expected at least 8 bytes, got ${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new SafetensorsError(
      'HEADER_TOO_LARGE',
      `header of ${length} bytes, at most ${MAX_HEADER_BYTES} are allowed`,
    );
  }
  const headerLength = Number(length);
  if (bytes.length < 8 + headerLength) {
    throw new SafetensorsError('TRUNCATED', `header of ${headerLength} bytes in a file of ${bytes.length}`);
  }
  const header = parseHeader(bytes.subarray(8, 8 + headerLength));
  const data = bytes.subarray(8 + headerLength);
  const metadata = readMetadata(header['__metadata__']);
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => readEntry(name, value, data.length));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(entries, data.length);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const copy = new ArrayBuffer(end - begin);
    new Uint8Array(copy).set(data.subarray(begin, end));
    tensors.set(name, { shape, data: DTYPES[dtype].make(copy) });
  }
  return { tensors, metadata };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SafetensorsError('BAD_HEADER', 'the header is not UTF-8');
  }
  if (!text.startsWith('{')) throw new SafetensorsError('BAD_HEADER', "the header does not begin with '{'");
  checkNesting(text);
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    throw new SafetensorsError('BAD_HEADER', 'the header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new SafetensorsError('BAD_HEADER', 'the header is not a JSON object');
  }
  return header as Record<string, unknown>;
}

/**
 * Refuses what JSON.parse lets pass or chokes on, in any text: two equal names in one object, of which it keeps the last,
 * and deep nesting, which takes it far more memory than the text.
 */
function checkNesting(text: string): void {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{' || c === '[') {
      if (open.push(new Set()) > MAX_HEADER_DEPTH) {
        throw new SafetensorsError('BAD_HEADER', `the header is nested more than ${MAX_HEADER_DEPTH} levels deep`);
      }
    } else if (c === '}' || c === ']') {
      open.pop();
    } else if (c === '"') {
      const begin = i;
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++;
      const end = i + 1;
      while (/\s/.test(text[i + 1] ?? '')) i++;
      if (text[i + 1] !== ':') continue;
      const name = readName(text.slice(begin, end));
      const names = open[open.length - 1];
      if (names?.has(name)) throw new SafetensorsError('DUPLICATE_NAME', `the name '${name}' occurs twice`);
      names?.add(name);
    }
  }
}

function readName(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new SafetensorsError('BAD_HEADER', 'the header is not JSON');
  }
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SafetensorsError('BAD_METADATA', '__metadata__ is not an object');
  }
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string') throw new SafetensorsError('BAD_METADATA', `__metadata__.${key} is not a string`);
  }
  return { ...(value as Record<string, string>) };
}

interface Entry {
  name: string;
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

function readEntry(name: string, value: unknown, dataLength: number): Entry {
  const bad = (what: string): never => {
    throw new SafetensorsError('BAD_TENSOR', `tensor '${name}': ${what}`);
  };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('not an object');
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (typeof dtype !== 'string') return bad('no dtype');
  if (!Object.hasOwn(DTYPES, dtype)) {
    throw new SafetensorsError(
      'UNSUPPORTED_DTYPE',
      `tensor '${name}': dtype ${dtype.slice(0, 20)}, supported: F32, F64, I64`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) return bad('shape is not a list of sizes');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    return bad('data_offsets is not a pair of offsets');
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) {
    throw new SafetensorsError(
      'BAD_OFFSETS',
      `tensor '${name}': range ${begin}–${end} does not lie in the ${dataLength} bytes of data`,
    );
  }
  const expected = elementCount(shape as number[]) * DTYPES[dtype as Dtype].bytes;
  if (!Number.isSafeInteger(expected) || expected !== end - begin) {
    throw new SafetensorsError(
      'SIZE_MISMATCH',
      `tensor '${name}': shape ${shapeText(shape as number[])} of ${dtype} needs ${expected} bytes, the range has ${end - begin}`,
    );
  }
  return { name, dtype: dtype as Dtype, shape: shape as number[], begin, end };
}

/** The ranges, in order, must cover the data without overlaps or holes, so that no byte is hidden. */
function checkCoverage(entries: readonly Entry[], dataLength: number): void {
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== position) {
      throw new SafetensorsError('BAD_OFFSETS', `tensor '${name}' begins at byte ${begin}, expected ${position}`);
    }
    position = end;
  }
  if (position !== dataLength) {
    throw new SafetensorsError(
      position < dataLength ? 'BAD_OFFSETS' : 'TRUNCATED',
      `the tensors cover ${position} of ${dataLength} bytes of data`,
    );
  }
}
