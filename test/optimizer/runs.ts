import { createOptimizer, DEFAULT_ARCHITECTURE, initialWeights, loadWeights } from '../../lib/index';
import type { Architecture, FloatArray, LearnedOptimizer, OptimizerOptions, Weights } from '../../lib/index';
import { DEFAULT_PRESET } from '../../lib/optimizer/presets';
import { createRandom } from '../../lib/random';

export const SIZES = [37, 1, 300] as const;

const one: Partial<Architecture> = { levels: 1, tensorHidden: 0, globalHidden: 0 };
const two: Partial<Architecture> = { levels: 2, globalHidden: 0 };

/** Weights of every kind of architecture. */
export const ARCHITECTURES: readonly (readonly [name: string, weights: Weights])[] = [
  ['three levels', initialWeights(DEFAULT_ARCHITECTURE, 3)],
  ['two levels', initialWeights({ ...DEFAULT_ARCHITECTURE, ...two }, 3)],
  ['one level', initialWeights({ ...DEFAULT_ARCHITECTURE, ...one }, 3)],
  ['attention', initialWeights({ ...DEFAULT_ARCHITECTURE, attention: true }, 3)],
  ['attention on one level', initialWeights({ ...DEFAULT_ARCHITECTURE, ...one, attention: true }, 3)],
  ['one timescale', initialWeights({ ...DEFAULT_ARCHITECTURE, timescales: 1 }, 3)],
  ['no input scaling', initialWeights({ ...DEFAULT_ARCHITECTURE, inputScaling: false }, 3)],
  ['the default preset', initialWeights(loadWeights(DEFAULT_PRESET).architecture, 3)],
];

export const attentionWeights = ARCHITECTURES[3][1];

/** Standard normal numbers, the same for the same seed. */
export function normals(length: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length }, () => random.normal());
}

export function startParameters(sizes: readonly number[] = SIZES): Float32Array[] {
  return sizes.map((size, i) => normals(size, 100 + i));
}

/**
 * Gradients of a bowl around 0 with some noise: they depend on the parameters, so that two runs which differ anywhere
 * soon differ everywhere.
 */
export function gradientsAt<A extends FloatArray>(parameters: readonly A[], step: number): A[] {
  return parameters.map((p, i) => {
    const noise = normals(p.length, 1000 * step + i);
    return p.map((value, j) => value * (1 + (j % 3)) + 0.1 * noise[j]) as A;
  });
}

export type ListOptimizer<A extends FloatArray = Float32Array> = LearnedOptimizer<A, A[]>;

export interface Run {
  readonly parameters: Float32Array[];
  readonly optimizer: ListOptimizer;
}

/** A run of `steps` steps from the same start. */
export function run(steps: number, options?: OptimizerOptions, sizes: readonly number[] = SIZES): Run {
  const parameters = startParameters(sizes);
  const optimizer = createOptimizer(parameters, options);
  for (let i = 0; i < steps; i++) optimizer.step(gradientsAt(parameters, i));
  return { parameters, optimizer };
}

export function resume({ parameters, optimizer }: Run, steps: number): void {
  for (let i = 0; i < steps; i++) optimizer.step(gradientsAt(parameters, optimizer.iterations));
}

/** Bytes in hexadecimal: text compares fast, tells -0 from 0 and one NaN from another. */
export function hex(...arrays: readonly ArrayBufferView[]): string {
  return arrays.map((a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString('hex')).join(' ');
}

/** Everything of a run that a refused call must leave as it was. */
export function bitsOf({ parameters, optimizer }: Run): string {
  return `${optimizer.iterations} ${hex(...parameters, optimizer.saveState())}`;
}

/** Detaches the buffer of an array, as a transfer to a worker does. */
export function detached<A extends FloatArray>(array: A): A {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

/** The largest |a − b| over the largest |b − origin|: how far two runs went apart, of the way they went. */
export function relativeDistance(a: ArrayLike<number>, b: ArrayLike<number>, origin: ArrayLike<number>): number {
  let [apart, way] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    apart = Math.max(apart, Math.abs(a[i] - b[i]));
    way = Math.max(way, Math.abs(b[i] - origin[i]));
  }
  return apart / way;
}
