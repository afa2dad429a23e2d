import type { FloatArray } from '../../../bindings/types';
import type { Random } from '../../random';
import { fillLanes, powerOfTen } from './family';
import type { LaneFamily, LaneMembers, SamplingOptions } from './family';
import { FUNCTIONS_2D, type Function2d } from './testFunctions2d';

/** Single functions, one tensor of two coordinates; or weighted sums of all of them, a tensor each. */
export class Function2dFamily implements LaneFamily {
  readonly lengths: readonly number[];
  readonly sparseProbability: number;
  readonly noiseProbability: number;

  constructor(
    readonly name: string,
    private readonly kind: 'single' | 'sum',
    readonly horizonFactor: number,
  ) {
    this.lengths = kind === 'single' ? [2] : FUNCTIONS_2D.map(() => 2);
    this.sparseProbability = kind === 'single' ? 0 : 0.1;
    this.noiseProbability = kind === 'single' ? 0.4 : 0.5;
  }

  create(blocks: number, width: number): LaneMembers {
    return this.kind === 'single' ? new SingleMembers(blocks, width) : new SumMembers(blocks, width);
  }
}

function start(f: Function2d, random: Random): [number, number] {
  return [0, 1].map((i) => f.low[i] + (f.high[i] - f.low[i]) * random.uniform()) as [number, number];
}

/**
 * Writes the product of a function's Hessian with (u, v) into `out`: the central difference of its gradient, which is
 * computed in double precision whatever the lanes are in. Relative error about 1e-9.
 */
function hessianProduct(f: Function2d, x: number, y: number, u: number, v: number, out: [number, number]): void {
  const length = Math.max(Math.abs(u), Math.abs(v));
  const h = length > 0 ? (1e-5 * (1 + Math.max(Math.abs(x), Math.abs(y)))) / length : 1;
  f.evaluate(x + h * u, y + h * v, out);
  const [p, q] = out;
  f.evaluate(x - h * u, y - h * v, out);
  out[0] = (p - out[0]) / (2 * h);
  out[1] = (q - out[1]) / (2 * h);
}

class SingleMembers implements LaneMembers {
  private readonly chosen: Uint8Array;
  private readonly slope: [number, number] = [0, 0];

  constructor(
    private readonly blocks: number,
    private readonly width: number,
  ) {
    this.chosen = new Uint8Array(blocks * width);
  }

  sample(block: number, lanes: readonly number[], random: Random): Float64Array {
    const f = random.integer(FUNCTIONS_2D.length);
    for (const lane of lanes) this.chosen[block * this.width + lane] = f;
    return Float64Array.from(start(FUNCTIONS_2D[f], random));
  }

  running(): [] {
    return [];
  }

  evaluate(theta: FloatArray, value: FloatArray | null, gradient: FloatArray | null): void {
    const { width, slope } = this;
    for (let b = 0; b < this.blocks; b++) {
      for (let lane = 0; lane < width; lane++) {
        const k = b * 2 * width + lane;
        const v = FUNCTIONS_2D[this.chosen[b * width + lane]].evaluate(theta[k], theta[k + width], slope);
        if (value !== null) value[b * width + lane] = v;
        if (gradient === null) continue;
        gradient[k] = slope[0];
        gradient[k + width] = slope[1];
      }
    }
  }

  hessianVectorProduct(theta: FloatArray, vector: FloatArray, product: FloatArray): void {
    const { width, slope } = this;
    for (let b = 0; b < this.blocks; b++) {
      for (let lane = 0; lane < width; lane++) {
        const k = b * 2 * width + lane;
        const f = FUNCTIONS_2D[this.chosen[b * width + lane]];
        hessianProduct(f, theta[k], theta[k + width], vector[k], vector[k + width], slope);
        product[k] = slope[0];
        product[k + width] = slope[1];
      }
    }
  }
}

/** Σ w_i f_i, w_i zero or of the size of 1/f_i at the start; some saturate. */
class SumMembers implements LaneMembers {
  private readonly weights: Float64Array;
  private readonly ceiling: Float64Array;
  private readonly slope: [number, number] = [0, 0];

  constructor(
    private readonly blocks: number,
    private readonly width: number,
  ) {
    this.weights = new Float64Array(blocks * FUNCTIONS_2D.length * width);
    this.ceiling = new Float64Array(blocks * width);
  }

  sample(block: number, lanes: readonly number[], random: Random, options: SamplingOptions): Float64Array {
    const starts = FUNCTIONS_2D.map((f) => start(f, random));
    const weights = FUNCTIONS_2D.map((f, i) => {
      const atStart = f.evaluate(...starts[i], this.slope);
      return (random.uniform() < 0.7 ? powerOfTen(random, -1.5, 0.5) / (atStart + 0.3) : 0) + 1e-6;
    });
    fillLanes(this.weights, this.width, block, lanes, weights);
    const ceiling = random.uniform() < options.saturation ? FUNCTIONS_2D.length * powerOfTen(random, -1.5, 0.5) : 0;
    for (const lane of lanes) this.ceiling[block * this.width + lane] = ceiling;
    return Float64Array.from(starts.flat());
  }

  running(): [] {
    return [];
  }

  evaluate(theta: FloatArray, value: FloatArray | null, gradient: FloatArray | null): void {
    const { width, slope } = this;
    const F = FUNCTIONS_2D.length;
    for (let b = 0; b < this.blocks; b++) {
      const base = b * 2 * F * width;
      for (let lane = 0; lane < width; lane++) {
        let sum = 0;
        for (let i = 0; i < F; i++) {
          const k = base + 2 * i * width + lane;
          const weight = this.weights[(b * F + i) * width + lane];
          sum += weight * FUNCTIONS_2D[i].evaluate(theta[k], theta[k + width], slope);
          if (gradient === null) continue;
          gradient[k] = weight * slope[0];
          gradient[k + width] = weight * slope[1];
        }
        const c = this.ceiling[b * width + lane];
        if (value !== null) value[b * width + lane] = c > 0 ? (c * sum) / (sum + c) : sum;
        if (gradient === null || c === 0) continue;
        const chain = (c / (sum + c)) ** 2;
        for (let i = 0; i < 2 * F; i++) gradient[base + i * width + lane] *= chain;
      }
    }
  }

  hessianVectorProduct(theta: FloatArray, vector: FloatArray, product: FloatArray): void {
    const { width, slope } = this;
    const F = FUNCTIONS_2D.length;
    const gradient = new Float64Array(2 * F);
    for (let b = 0; b < this.blocks; b++) {
      for (let lane = 0; lane < width; lane++) {
        const base = b * 2 * F * width + lane;
        let [sum, along] = [0, 0];
        for (let i = 0; i < F; i++) {
          const k = base + 2 * i * width;
          const weight = this.weights[(b * F + i) * width + lane];
          sum += weight * FUNCTIONS_2D[i].evaluate(theta[k], theta[k + width], slope);
          for (const j of [0, 1]) {
            gradient[2 * i + j] = weight * slope[j];
            along += gradient[2 * i + j] * vector[k + j * width];
          }
          hessianProduct(FUNCTIONS_2D[i], theta[k], theta[k + width], vector[k], vector[k + width], slope);
          for (const j of [0, 1]) product[k + j * width] = weight * slope[j];
        }
        const c = this.ceiling[b * width + lane];
        if (c === 0) continue;
        // c·s/(s + c): first and second derivative with respect to s.
        const first = (c / (sum + c)) ** 2;
        const second = (-2 * c * c) / (sum + c) ** 3;
        for (let i = 0; i < 2 * F; i++) {
          const k = base + i * width;
          product[k] = first * product[k] + second * along * gradient[i];
        }
      }
    }
  }
}
