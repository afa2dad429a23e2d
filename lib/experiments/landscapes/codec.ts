/**
 * Trajectories as text for the page: numbers are rounded to steps that no picture shows, packed into bytes and written as
 * base64. Used by the generation, which encodes, and by the page, which decodes.
 */
import type { LearnedDescent } from './trajectories';

/** A recorded trajectory: positions, heights, η and momenta, each a base64 string of little-endian integers. */
export interface EncodedDescent {
  /** Lowest x, lowest y, and the larger of both extents: positions are 16-bit shares of it. */
  readonly box: readonly [x: number, y: number, size: number];
  readonly positions: string;
  /** 16-bit shares of `LOG_HEIGHTS`. */
  readonly heights: string;
  /** 16-bit shares of `LOG_RATES`. */
  readonly logRates: string;
  /** 8-bit shares of `MOMENTA`. */
  readonly momenta: string;
}

type Range = readonly [low: number, high: number];

/** Powers of ten of heights; outside they count as the nearer end. */
export const LOG_HEIGHTS: Range = [-13, 9];
/** η, natural logarithms. */
const LOG_RATES: Range = [-33, 33];
/** ḡ/√λ. */
const MOMENTA: Range = [-4, 4];

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Numbers as integers of 1 or 2 bytes: shares of a range, rounded to the nearest. */
function pack(values: ArrayLike<number>, [low, high]: Range, bytes: 1 | 2): string {
  const top = 256 ** bytes - 1;
  const out = new Uint8Array(values.length * bytes);
  for (let i = 0; i < values.length; i++) {
    const share = Math.min(Math.max((values[i] - low) / (high - low), 0), 1);
    const integer = Math.round(share * top);
    out[i * bytes] = integer & 255;
    if (bytes === 2) out[i * bytes + 1] = integer >> 8;
  }
  return toBase64(out);
}

function unpack(text: string, [low, high]: Range, bytes: 1 | 2): Float64Array {
  const packed = fromBase64(text);
  const top = 256 ** bytes - 1;
  return Float64Array.from({ length: packed.length / bytes }, (_, i) => {
    const integer = packed[i * bytes] + (bytes === 2 ? 256 * packed[i * bytes + 1] : 0);
    return low + (high - low) * (integer / top);
  });
}

const column = (values: Float64Array, offset: number): Float64Array =>
  Float64Array.from({ length: values.length / 2 }, (_, i) => values[2 * i + offset]);

function extent(values: Float64Array): [low: number, size: number] {
  const low = values.reduce((a, b) => Math.min(a, b));
  return [low, values.reduce((a, b) => Math.max(a, b)) - low];
}

/** @throws {RangeError} if a position is not finite: the learned optimizer skips gradients that are not. */
export function encodeDescent(descent: LearnedDescent): EncodedDescent {
  const bad = descent.positions.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new RangeError(`positions[${bad}]: expected a finite number, got ${descent.positions[bad]}`);
  }
  const columns = [column(descent.positions, 0), column(descent.positions, 1)];
  const [[x, width], [y, height]] = columns.map(extent);
  const size = Math.max(width, height, 1e-6);
  const shifted = descent.positions.map((value, i) => value - (i % 2 === 0 ? x : y));
  return {
    box: [x, y, size],
    positions: pack(shifted, [0, size], 2),
    heights: pack(descent.heights.map(Math.log10), LOG_HEIGHTS, 2),
    logRates: pack(descent.logRates, LOG_RATES, 2),
    momenta: pack(descent.momenta, MOMENTA, 1),
  };
}

/** The inverse of `encodeDescent` up to rounding. */
export function decodeDescent(encoded: EncodedDescent): LearnedDescent {
  const [x, y, size] = encoded.box;
  const heights = unpack(encoded.heights, LOG_HEIGHTS, 2).map((power) => 10 ** power);
  const momenta = unpack(encoded.momenta, MOMENTA, 1);
  return {
    positions: unpack(encoded.positions, [0, size], 2).map((value, i) => value + (i % 2 === 0 ? x : y)),
    heights,
    logRates: unpack(encoded.logRates, LOG_RATES, 2),
    momenta,
    timescales: momenta.length / (2 * heights.length),
  };
}
