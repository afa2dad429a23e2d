import type { ArrayOptimizer } from '../baselines';
import { adam, momentum, rmsProp, type MakeOptimizer } from '../baselines';
import { evaluatorOf, heightOf, type PictureLandscape } from './catalogue';

/** Where an optimizer was after every step, and how high above the minimum. NaN from the step on at which it diverged. */
export interface Descent {
  /** [steps + 1][2] */
  readonly positions: Float64Array;
  /** [steps + 1] */
  readonly heights: Float64Array;
}

/** An optimizer that the learned one is compared with. */
export interface Baseline {
  readonly id: 'adam' | 'rmsprop' | 'momentum' | 'sgd';
  readonly name: string;
  readonly make: (rate: number) => MakeOptimizer;
}

/** In the order of legends. Their other settings are the usual ones (lib/experiments/baselines.ts). */
export const BASELINES: readonly Baseline[] = [
  { id: 'adam', name: 'Adam', make: (learningRate) => adam({ learningRate }) },
  { id: 'rmsprop', name: 'RMSProp', make: (learningRate) => rmsProp({ learningRate }) },
  { id: 'momentum', name: 'SGD, momentum 0.9', make: (learningRate) => momentum({ learningRate }) },
  { id: 'sgd', name: 'SGD', make: (learningRate) => momentum({ learningRate, momentum: 0 }) },
];

/**
 * Lets an optimizer descend from a start, in single precision as everywhere in the package.
 * @param onStep called with 0 before the first step, then after every step with their number
 */
export function descend(
  landscape: PictureLandscape,
  start: readonly [number, number],
  steps: number,
  make: (parameters: readonly Float32Array[]) => ArrayOptimizer,
  onStep?: (step: number) => void,
): Descent {
  const evaluate = evaluatorOf(landscape);
  const height = heightOf(landscape);
  const positions = new Float64Array(2 * (steps + 1)).fill(NaN);
  const heights = new Float64Array(steps + 1).fill(NaN);
  const parameter = Float32Array.from(start);
  const gradient = new Float32Array(2);
  const slope: [number, number] = [0, 0];
  const optimizer = make([parameter]);
  for (let step = 0; ; step++) {
    const [x, y] = optimizer.evaluationParameters?.()[0] ?? parameter;
    const here = height(x, y);
    if (!Number.isFinite(here)) break;
    positions[2 * step] = x;
    positions[2 * step + 1] = y;
    heights[step] = here;
    onStep?.(step);
    if (step === steps) break;
    evaluate(parameter[0], parameter[1], slope);
    gradient.set(slope);
    optimizer.step([gradient]);
  }
  optimizer.dispose?.();
  return { positions, heights };
}

/** Learning rates in half-decades, from the lowest to the highest exponent of ten. */
export function halfDecades(low: number, high: number): number[] {
  return Array.from({ length: Math.round(2 * (high - low)) + 1 }, (_, i) =>
    Number((10 ** (low + i / 2)).toPrecision(3)),
  );
}
