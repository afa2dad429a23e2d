import { createHash } from 'node:crypto';
import { fromTensor, toTensor } from '../meta/arrays';
import type { EstimatorState, TruncationResult } from '../meta/estimator';
import { objectOf, valueOf } from '../meta/fieldChecks';
import type { FieldCheck } from '../meta/fieldChecks';
import type { RunningArray } from '../problems/lanes/family';
import { decodeSafetensors, encodeSafetensors } from '../safetensors';
import { PROTOCOL } from './engine';

const FORMAT = 'learned-optimizer-cluster';

/** Largest payload that is fetched or decoded. */
export const MOST_BYTES = 2 ** 29;

export type PayloadErrorCode =
  | 'TOO_LARGE'
  | 'WRONG_LENGTH'
  | 'WRONG_HASH'
  | 'WRONG_VERSION' // of the format, the package or the instruction set
  | 'WRONG_KIND'
  | 'WRONG_JOB'
  | 'DAMAGED'; // no safetensors, or without what it must hold

/** Something that came from the queue is not what it should be; `code` says how. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError';
  constructor(
    readonly code: PayloadErrorCode,
    message: string,
  ) {
    super(message.length > 500 ? `${message.slice(0, 500)}…` : message);
  }
}

/** A payload by its contents: the key that it lies under is its hash. */
export interface BlobRef {
  readonly sha256: string;
  readonly bytes: number;
}

export interface Blob {
  readonly ref: BlobRef;
  readonly bytes: Uint8Array;
}

export function sha256Of(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function blobOf(bytes: Uint8Array): Blob {
  return { ref: { sha256: sha256Of(bytes), bytes: bytes.length }, bytes };
}

/** @throws {PayloadError} if the bytes are not those that the reference is of */
export function checkBlob(bytes: Uint8Array, { sha256, bytes: length }: BlobRef): void {
  if (bytes.length !== length) {
    throw new PayloadError('WRONG_LENGTH', `payload: expected ${length} bytes, got ${bytes.length}`);
  }
  const actual = sha256Of(bytes);
  if (actual !== sha256) {
    throw new PayloadError('WRONG_HASH', `payload: expected bytes with SHA-256 ${sha256}, got ${actual}`);
  }
}

type Kind = 'meta-parameters' | 'state' | 'parts';
type Arrays = Readonly<Record<string, RunningArray>>;

function encode(kind: Kind, arrays: Arrays, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  return encodeSafetensors({
    tensors: Object.entries(arrays).map(([name, array]) => toTensor(name, array)),
    metadata: { format: FORMAT, formatVersion: String(PROTOCOL), kind, ...metadata },
  });
}

function decode(
  bytes: Uint8Array,
  kinds: readonly Kind[],
): { arrays: Arrays; metadata: Readonly<Record<string, string>> } {
  if (bytes.length > MOST_BYTES) {
    throw new PayloadError('TOO_LARGE', `payload: expected at most ${MOST_BYTES} bytes, got ${bytes.length}`);
  }
  try {
    const { tensors, metadata } = decodeSafetensors(bytes);
    const { format, formatVersion, kind } = metadata;
    if (format !== FORMAT || formatVersion !== String(PROTOCOL)) {
      throw new PayloadError(
        'WRONG_VERSION',
        `payload: expected format '${FORMAT}' version ${PROTOCOL}, got ${format ?? 'none'} version ${formatVersion ?? 'none'}`,
      );
    }
    if (!kinds.includes(kind as Kind)) {
      throw new PayloadError('WRONG_KIND', `payload: expected ${kinds.join(' or ')}, got ${kind ?? 'none'}`);
    }
    const entries = [...tensors].map(([label, { data }]) => fromTensor(label, data));
    return { arrays: Object.fromEntries(entries.map(({ name, array }) => [name, array])), metadata };
  } catch (error) {
    if (error instanceof PayloadError) throw error;
    throw new PayloadError('DAMAGED', `payload: ${(error as Error).message}`);
  }
}

function doubles(arrays: Arrays, name: string, length?: number): Float64Array {
  const array = arrays[name];
  if (!(array instanceof Float64Array) || (length !== undefined && array.length !== length)) {
    const got = array === undefined ? 'none' : `${array.constructor.name} of length ${array.length}`;
    throw new PayloadError('DAMAGED', `payload: ${name}: expected ${length ?? 'some'} doubles, got ${got}`);
  }
  return array;
}

/** The meta-parameters of a version. */
export function encodeMetaParameters(flat: Float64Array): Uint8Array {
  return encode('meta-parameters', { flat });
}

export function decodeMetaParameters(bytes: Uint8Array): Float64Array {
  return doubles(decode(bytes, ['meta-parameters']).arrays, 'flat');
}

/** The state of a family, from which its next part goes on. */
export function encodeState(state: EstimatorState): Uint8Array {
  return encode('state', state);
}

export function decodeState(bytes: Uint8Array): EstimatorState {
  return decode(bytes, ['state']).arrays;
}

/** What a part says, and the id of its job. */
export interface DonePart {
  readonly job: string;
  readonly result: TruncationResult;
}

/** Parts that have been done. The same parts have the same bytes, whoever did them. */
export function encodeParts(parts: readonly DonePart[]): Uint8Array {
  const arrays = parts.flatMap(({ result }, k): [string, RunningArray][] => {
    const { gradient, loss, restarts, failures, steps } = result;
    return [
      [`${k}.gradient`, gradient],
      [`${k}.numbers`, Float64Array.of(loss, restarts, failures, steps)],
    ];
  });
  return encode('parts', Object.fromEntries(arrays), { jobs: parts.map(({ job }) => job).join(' ') });
}

/** Checks what should be so many hexadecimal digits. */
export function hexadecimal(digits: number, what: string): FieldCheck {
  const pattern = new RegExp(`^[0-9a-f]{${digits}}$`);
  return valueOf(`${what}, ${digits} hexadecimal digits`, (value) => typeof value === 'string' && pattern.test(value));
}

export const checkSha256: FieldCheck = hexadecimal(64, 'a SHA-256');

/** Checks what should be a reference to a payload. */
export const checkBlobRef: FieldCheck = objectOf<BlobRef>({
  sha256: checkSha256,
  bytes: valueOf(
    `a whole number from 1 to ${MOST_BYTES}`,
    (value) => Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= MOST_BYTES,
  ),
});

/**
 * Reads parts that have been done.
 * @param jobs the ids of the jobs that they must be of
 * @param metaParameters length of the gradients
 * @throws {PayloadError} if they are anything else
 */
export function decodeParts(bytes: Uint8Array, jobs: readonly string[], metaParameters: number): TruncationResult[] {
  const { arrays, metadata } = decode(bytes, ['parts']);
  const got = metadata['jobs'] ?? 'none';
  if (got !== jobs.join(' ')) {
    throw new PayloadError('WRONG_JOB', `payload: expected the parts of jobs ${jobs.join(' ')}, got ${got}`);
  }
  return jobs.map((_, k) => {
    const gradient = doubles(arrays, `${k}.gradient`, metaParameters);
    const [loss, restarts, failures, steps] = doubles(arrays, `${k}.numbers`, 4);
    return { gradient, loss, restarts, failures, steps };
  });
}
