import type { FloatArray } from '../../../bindings/types';
import type { Random } from '../../random';
import { fillLanes, powerOfTen } from './family';
import type { LaneFamily, LaneMembers, SamplingOptions } from './family';

/** f(x, y) ≥ 0 with its gradient written into `out`, and the box that starts come from. */
export interface Function2d {
  readonly name: string;
  readonly low: readonly [number, number];
  readonly high: readonly [number, number];
  readonly evaluate: (x: number, y: number, out: [number, number]) => number;
}

const { PI, cos, exp, log, sin, sqrt } = Math;

function box(half: number): { low: [number, number]; high: [number, number] } {
  return { low: [-half, -half], high: [half, half] };
}

const rosenbrock: Function2d = {
  name: 'Rosenbrock',
  low: [-5, -5],
  high: [10, 10],
  evaluate(x, y, out) {
    const r = y - x * x;
    out[0] = -2 * (1 - x) - 400 * x * r;
    out[1] = 200 * r;
    return (1 - x) ** 2 + 100 * r * r;
  },
};

const ackley: Function2d = {
  name: 'Ackley',
  ...box(32.768),
  evaluate(x, y, out) {
    const radius = sqrt(0.5 * (x * x + y * y) + 1e-12);
    const bowl = 20 * exp(-0.2 * radius);
    const waves = exp(0.5 * (cos(2 * PI * x) + cos(2 * PI * y)));
    const slope = (0.2 * bowl * 0.5) / radius;
    out[0] = slope * x + waves * PI * sin(2 * PI * x);
    out[1] = slope * y + waves * PI * sin(2 * PI * y);
    return 20 - bowl + Math.E - waves;
  },
};

const beale: Function2d = {
  name: 'Beale',
  ...box(4.5),
  evaluate(x, y, out) {
    const a = 1.5 - x + x * y;
    const b = 2.25 - x + x * y * y;
    const c = 2.625 - x + x * y ** 3;
    out[0] = 2 * (a * (y - 1) + b * (y * y - 1) + c * (y ** 3 - 1));
    out[1] = 2 * (a * x + 2 * b * x * y + 3 * c * x * y * y);
    return a * a + b * b + c * c;
  },
};

const booth: Function2d = {
  name: 'Booth',
  ...box(10),
  evaluate(x, y, out) {
    const a = x + 2 * y - 7;
    const b = 2 * x + y - 5;
    out[0] = 2 * a + 4 * b;
    out[1] = 4 * a + 2 * b;
    return a * a + b * b;
  },
};

const styblinskiTang: Function2d = {
  name: 'Styblinski–Tang',
  ...box(5),
  evaluate(x, y, out) {
    out[0] = 2 * x ** 3 - 16 * x + 2.5;
    out[1] = 2 * y ** 3 - 16 * y + 2.5;
    return 0.5 * (x ** 4 - 16 * x * x + 5 * x + y ** 4 - 16 * y * y + 5 * y) + 80;
  },
};

const matyas: Function2d = {
  name: 'Matyas',
  ...box(10),
  evaluate(x, y, out) {
    out[0] = 0.52 * x - 0.48 * y;
    out[1] = 0.52 * y - 0.48 * x;
    return 0.26 * (x * x + y * y) - 0.48 * x * y;
  },
};

const branin: Function2d = {
  name: 'Branin',
  low: [-5, 0],
  high: [10, 15],
  evaluate(x, y, out) {
    const b = 5.1 / (4 * PI * PI);
    const r = y - b * x * x + (5 / PI) * x - 6;
    const s = 10 * (1 - 1 / (8 * PI));
    out[0] = 2 * r * (5 / PI - 2 * b * x) - s * sin(x);
    out[1] = 2 * r;
    return r * r + s * cos(x) + 10;
  },
};

const logSumExp: Function2d = {
  name: 'log-sum-exp',
  ...box(3),
  evaluate(x, y, out) {
    const terms = [x + 3 * y - 0.1, x - 3 * y - 0.1, -x - 0.1, 0];
    const largest = Math.max(...terms);
    const weights = terms.map((t) => exp(t - largest));
    const total = weights.reduce((a, b) => a + b, 0);
    out[0] = (weights[0] + weights[1] - weights[2]) / total;
    out[1] = (3 * weights[0] - 3 * weights[1]) / total;
    return largest + log(total);
  },
};

const michalewicz: Function2d = {
  name: 'Michalewicz',
  low: [0, 0],
  high: [PI, PI],
  evaluate(x, y, out) {
    const [u, v] = [(x * x) / PI, (2 * y * y) / PI];
    const [p, q] = [sin(u) ** 10, sin(v) ** 10];
    out[0] = -(cos(x) * p + sin(x) * 10 * sin(u) ** 9 * cos(u) * ((2 * x) / PI));
    out[1] = -(cos(y) * q + sin(y) * 10 * sin(v) ** 9 * cos(v) * ((4 * y) / PI));
    return 2 - (sin(x) * p + sin(y) * q);
  },
};

/** The two-dimensional test functions of the paper's ensemble. */
export const FUNCTIONS_2D: readonly Function2d[] = [
  rosenbrock,
  ackley,
  beale,
  booth,
  styblinskiTang,
  matyas,
  branin,
  logSumExp,
  michalewicz,
];

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
