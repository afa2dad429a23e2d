import { alignedFloat32Array } from '../../../bindings/index';
import type { FloatArray } from '../../../bindings/types';
import type { Random } from '../../random';
import type { NoiseTable } from './noise';
import { coordinatesOf, powerOfTen } from './family';
import type { LaneFamily, LaneMembers, RunningArray, SamplingOptions } from './family';

export interface AugmentationOptions extends SamplingOptions {
  /** Probability that a member is rescaled: as a whole by 10^U(±1.5), each tensor by 10^N(0, 0.4), its loss by 10^U(±3). */
  readonly rescale: number;
}

/**
 * Members of a family seen through random reparametrisation, gradient noise and sparse gradients. The noise of the lanes
 * of an antithetic pair, 2k and 2k + 1, is the same.
 */
export class AugmentedMembers {
  private readonly inner: LaneMembers;
  private readonly n: number;
  /** [blocks][coordinates][width]: θ = scale·z, z the parameters of the family. */
  private readonly scale: Float32Array;
  private readonly z: Float32Array;
  private readonly lossScale: Float32Array;
  /** Standard deviation of the noise on a gradient, in the units of the unscaled loss. */
  private readonly noise: Float32Array;
  private readonly shrinking: Uint8Array;
  private readonly keep: Float32Array;
  private readonly start: Float32Array;
  private readonly values: Float32Array;

  constructor(
    private readonly family: LaneFamily,
    private readonly blocks: number,
    private readonly width: number,
    private readonly table: NoiseTable,
  ) {
    this.inner = family.create(blocks, width);
    this.n = coordinatesOf(family);
    const lanes = blocks * width;
    this.scale = new Float32Array(lanes * this.n).fill(1);
    this.z = alignedFloat32Array(lanes * this.n);
    this.lossScale = new Float32Array(lanes).fill(1);
    this.noise = new Float32Array(lanes);
    this.shrinking = new Uint8Array(lanes);
    this.keep = new Float32Array(lanes).fill(1);
    this.start = new Float32Array(lanes).fill(1);
    this.values = new Float32Array(lanes);
  }

  /** Draws a member into the lanes; writes its start into `theta`, [blocks][coordinates][width]. */
  sample(
    block: number,
    lanes: readonly number[],
    random: Random,
    options: AugmentationOptions,
    theta: FloatArray,
  ): void {
    const { family, width, n } = this;
    const z0 = this.inner.sample(block, lanes, random, options);
    const rescaled = random.uniform() < options.rescale;
    const whole = -1.5 + 3 * random.uniform();
    const lossScale = rescaled ? powerOfTen(random, -3, 3) : 1;
    let i = 0;
    for (const length of family.lengths) {
      const own = rescaled ? 10 ** (whole + 0.4 * random.normal()) : 1;
      for (let j = 0; j < length; j++, i++) {
        for (const lane of lanes) {
          const k = (block * n + i) * width + lane;
          this.scale[k] = own;
          theta[k] = z0[i] * own;
        }
      }
    }
    const sparse = random.uniform() < family.sparseProbability ? 0.3 + 0.65 * random.uniform() : 0;
    const noise = random.uniform() < family.noiseProbability ? powerOfTen(random, -3, 0.5) : 0;
    const shrinking = random.uniform() < options.interpolation;
    for (const lane of lanes) {
      const at = block * width + lane;
      this.lossScale[at] = lossScale;
      this.keep[at] = 1 - sparse;
      this.noise[at] = noise;
      this.shrinking[at] = shrinking ? 1 : 0;
      this.start[at] = NaN;
    }
  }

  /** As of `LaneMembers`. */
  running(): RunningArray[] {
    return [this.start, this.noise, ...this.inner.running()];
  }

  private unscale(theta: FloatArray): void {
    const { z, scale } = this;
    for (let k = 0; k < z.length; k++) z[k] = theta[k] / scale[k];
  }

  /** f(θ) of every problem, scaled; [blocks][width] */
  objective(theta: FloatArray, value: FloatArray, random: Random): void {
    this.unscale(theta);
    this.inner.evaluate(this.z, value, null, random);
    for (let at = 0; at < value.length; at++) value[at] *= this.lossScale[at];
  }

  /** The gradient that the optimizer sees, with noise and sparsity. */
  gradient(theta: FloatArray, gradient: FloatArray, random: Random): void {
    const { n, width, blocks, values, scale } = this;
    this.unscale(theta);
    this.inner.evaluate(this.z, values, gradient, random);
    for (let k = 0; k < gradient.length; k++) gradient[k] /= scale[k];
    for (let b = 0; b < blocks; b++) {
      for (let pair = 0; pair < width / 2; pair++) {
        const first = b * width + 2 * pair;
        this.measureNoise(b, 2 * pair, gradient);
        const noisy = this.noise[first] > 0;
        const sparse = this.keep[first] < 1;
        const offset = noisy || sparse ? this.table.offset(random, 2 * n) : 0;
        for (let side = 0; side < 2; side++) {
          const at = first + side;
          const lossScale = this.lossScale[at];
          const level = this.noise[at] * (this.shrinking[at] === 1 ? this.shrink(at) : 1);
          // A normal number above the threshold: dropped with probability 1 − keep.
          const threshold = sparse ? normalQuantile(this.keep[at]) : Infinity;
          let k = b * n * width + 2 * pair + side;
          for (let i = 0; i < n; i++, k += width) {
            let g = gradient[k];
            if (noisy) g += level * this.table.values[offset + i];
            if (sparse && this.table.values[offset + n + i] > threshold) g = 0;
            gradient[k] = g * lossScale;
          }
        }
      }
    }
  }

  /** At a member's first gradient: its noise is relative to the root mean square of that gradient. */
  private measureNoise(block: number, lane: number, gradient: FloatArray): void {
    const { n, width } = this;
    const at = block * width + lane;
    if (!Number.isNaN(this.start[at])) return;
    let squares = 0;
    for (let i = 0; i < n; i++) squares += gradient[(block * n + i) * width + lane] ** 2;
    const rms = Math.sqrt(squares / n + 1e-20);
    for (const l of [at, at + 1]) {
      this.start[l] = this.values[at] + 1e-20;
      this.noise[l] *= rms;
    }
  }

  /** √(f/f₀), bounded: near a fit the gradients of single samples agree. */
  private shrink(at: number): number {
    return Math.sqrt(Math.min(Math.max(this.values[at] / this.start[at], 1e-12), 100));
  }
}

/** Inverse of the normal distribution function, error below 4.5e-4 (Abramowitz & Stegun 26.2.23). */
export function normalQuantile(p: number): number {
  const q = Math.min(p, 1 - p);
  const t = Math.sqrt(-2 * Math.log(q));
  const x =
    t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
  return p > 0.5 ? x : -x;
}
