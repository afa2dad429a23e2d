import { createRandom } from '../lib/random';

/** Tensors whose optimizer step is measured. */
export interface Case {
  readonly name: string;
  /** Coordinates of every tensor. */
  readonly lengths: readonly number[];
  readonly parameters: number;
  /**
   * A small case with the same trajectory: coordinate i of tensor t moves exactly like coordinate i mod period of tensor
   * t mod lengths.length of this one. It is small enough for the double precision reference.
   */
  readonly prefix: Prefix;
}

interface Prefix {
  readonly lengths: readonly number[];
  /** Coordinates after which the values of a tensor repeat. */
  readonly period: number;
}

export const DEFAULT_SIZES: readonly number[] = [1e3, 1e4, 1e5, 1e6, 4e6, 1e7];
export const QUICK_SIZES: readonly number[] = [1e3, 1e5, 1e6];
/** Where the overhead of TensorFlow.js is measured. */
export const OVERHEAD_SIZES: readonly number[] = [1e5, 1e6, 4e6, 1e7];
/** Totals are multiples of this, so that every case is a repetition of its prefix. */
export const SIZE_UNIT = 1000;
/** Tensors of the spread cases: a network with a hundred layers has about so many. */
export const SPREAD_TENSORS = 300;
const SMALLEST_SPREAD = 10_000;

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function makeCase(name: string, lengths: readonly number[], prefix: Prefix): Case {
  return { name, lengths, parameters: sum(lengths), prefix };
}

/** All coordinates in one tensor. */
export function oneTensor(parameters: number): Case {
  return makeCase(`${parameters} in 1 tensor`, [parameters], { lengths: [SIZE_UNIT], period: SIZE_UNIT });
}

/**
 * The same total over 300 tensors: 100 times a group of two large ones and one of half their size. Repeating a group
 * changes none of the means that the levels above see, so one group is the prefix.
 */
function spread(parameters: number): Case {
  const unit = parameters / 500;
  let period = Math.min(unit, 200);
  while (unit % period !== 0) period--;
  return makeCase(
    `${parameters} in ${SPREAD_TENSORS} tensors`,
    Array.from({ length: SPREAD_TENSORS }, (_, t) => (t % 3 === 2 ? unit : 2 * unit)),
    { lengths: [2 * period, 2 * period, period], period },
  );
}

/** Weights and biases of a 64-32-10 network for 8×8 digits: four tensors, where everything but the kernel dominates. */
function smallNetwork(): Case {
  const lengths = [2048, 32, 320, 10];
  return makeCase('2410 in 4 tensors', lengths, { lengths, period: 2048 });
}

/** A thousand tensors of 64 parameters: what a step costs per tensor. */
export function manySmallTensors(): Case {
  const length = 64;
  return makeCase(
    '64000 in 1000 tensors',
    Array.from({ length: 1000 }, () => length),
    { lengths: [length], period: length },
  );
}

/** The cases for totals that are multiples of `SIZE_UNIT`. */
export function makeCases(sizes: readonly number[]): Case[] {
  return [
    ...sizes.map(oneTensor),
    ...sizes.filter((n) => n >= SMALLEST_SPREAD && n % SMALLEST_SPREAD === 0).map(spread),
    smallNetwork(),
  ];
}

/** Normal values times `scale` for the tensors of a prefix, the same for every contestant. */
export function prefixValues({ lengths, period }: Prefix, stream: number, scale: number): Float32Array[] {
  return lengths.map((length, t) => {
    const random = createRandom(t, stream);
    const once = Float32Array.from({ length: Math.min(length, period) }, () => scale * random.normal());
    return repeated(once, length);
  });
}

/** Values for the whole case: those of its prefix, repeated. */
export function caseValues(measured: Case, stream: number, scale: number): Float32Array[] {
  const small = prefixValues(measured.prefix, stream, scale);
  return measured.lengths.map((length, t) => repeated(small[t % small.length], length));
}

function repeated(values: Float32Array, length: number): Float32Array {
  const out = new Float32Array(length);
  for (let at = 0; at < length; at += values.length) {
    out.set(values.subarray(0, Math.min(values.length, length - at)), at);
  }
  return out;
}
