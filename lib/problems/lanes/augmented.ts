import type { FloatArray, Precision } from '../../../bindings/types';
import type { Random } from '../../random';
import type { NoiseTable } from './noise';
import { differenceProduct } from './differences';
import { coordinatesOf, laneArray, powerOfTen } from './family';
import type { LaneFamily, LaneMembers, RunningArray, SamplingOptions } from './family';

export interface AugmentationOptions extends SamplingOptions {
  /** Probability that a member is rescaled: as a whole by 10^U(±1.5), each tensor by 10^N(0, 0.4), its loss by 10^U(±3). */
  readonly rescale: number;
}

export interface AugmentedMembersOptions {
  /** Default: single. */
  readonly precision?: Precision;
  /** Neighbouring lanes that have a member, and its noise, in common: 2 for antithetic pairs (default), or 1. */
  readonly lanesPerMember?: 1 | 2;
}

/** Members of a family seen through random reparametrisation, gradient noise and sparse gradients. */
export class AugmentedMembers {
  private readonly inner: LaneMembers;
  private readonly n: number;
  /** [blocks][coordinates][width]: θ = scale·z, z the parameters of the family. */
  private readonly scale: FloatArray;
  private readonly z: FloatArray;
  private readonly lossScale: FloatArray;
  /** Of one block, what gradients without noise are multiplied by. */
  private readonly factors: Float64Array;
  /** Standard deviation of the noise on a gradient, in the units of the unscaled loss. */
  private readonly noise: FloatArray;
  private readonly shrinking: Uint8Array;
  private readonly keep: FloatArray;
  private readonly start: FloatArray;
  /** f(z), not scaled. */
  private readonly values: FloatArray;
  /** Whether `values` are those of `z` and of the members that are there now. */
  private current = false;
  private readonly lanesPerMember: 1 | 2;
  /** Where the noise of the latest gradient lies in the table, per member; live. */
  readonly noiseOffsets: Int32Array;

  constructor(
    private readonly family: LaneFamily,
    private readonly blocks: number,
    private readonly width: number,
    private readonly table: NoiseTable,
    { precision = 'float32', lanesPerMember = 2 }: AugmentedMembersOptions = {},
  ) {
    if (width % lanesPerMember !== 0) {
      throw new RangeError(`options.lanesPerMember: expected a divisor of the width ${width}, got ${lanesPerMember}`);
    }
    this.inner = family.create(blocks, width, precision);
    this.n = coordinatesOf(family);
    this.lanesPerMember = lanesPerMember;
    const lanes = blocks * width;
    this.scale = laneArray(precision, lanes * this.n).fill(1);
    this.z = laneArray(precision, lanes * this.n);
    this.lossScale = laneArray(precision, lanes).fill(1);
    this.factors = new Float64Array(width);
    this.noise = laneArray(precision, lanes);
    this.shrinking = new Uint8Array(lanes);
    this.keep = laneArray(precision, lanes).fill(1);
    this.start = laneArray(precision, lanes).fill(1);
    this.values = laneArray(precision, lanes);
    this.noiseOffsets = new Int32Array(lanes / lanesPerMember);
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
    this.current = false;
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
    let same = true;
    for (let k = 0; k < z.length; k++) {
      const before = z[k];
      z[k] = theta[k] / scale[k];
      if (z[k] !== before) same = false;
    }
    if (!same) this.current = false;
  }

  private scaleValues(value: FloatArray): void {
    for (let at = 0; at < value.length; at++) value[at] = this.values[at] * this.lossScale[at];
  }

  /** f(θ) of every problem, scaled; [blocks][width] */
  objective(theta: FloatArray, value: FloatArray, random: Random): void {
    this.unscale(theta);
    if (!this.current) this.inner.evaluate(this.z, this.values, null, random);
    this.current = true;
    this.scaleValues(value);
  }

  /** f(θ) of every problem, scaled, and its gradient on all data, without noise. */
  objectiveGradient(theta: FloatArray, value: FloatArray, gradient: FloatArray, random: Random): void {
    const { inner, z, values, n, width, scale, lossScale } = this;
    this.unscale(theta);
    if (inner.evaluateAll) inner.evaluateAll(z, values, gradient);
    else inner.evaluate(z, values, gradient, random);
    this.current = true;
    this.scaleValues(value);
    for (let b = 0, k = 0; b < this.blocks; b++) {
      for (let i = 0; i < n; i++) {
        for (let lane = 0; lane < width; lane++, k++) gradient[k] *= lossScale[b * width + lane] / scale[k];
      }
    }
  }

  /** The gradient that the optimizer sees, with noise and sparsity. */
  gradient(theta: FloatArray, gradient: FloatArray, random: Random): void {
    const { n, width, blocks, values, scale, lanesPerMember } = this;
    this.unscale(theta);
    this.inner.evaluate(this.z, this.current ? null : values, gradient, random);
    this.current = true;
    for (let k = 0; k < gradient.length; k++) gradient[k] /= scale[k];
    for (let b = 0; b < blocks; b++) {
      this.factors.fill(1);
      for (let lane = 0; lane < width; lane += lanesPerMember) {
        const first = b * width + lane;
        this.measureNoise(b, lane, gradient);
        // NaN, of a problem that has blown up, draws as noise does: the random numbers of the others stay the same.
        const noisy = this.noise[first] !== 0;
        const sparse = this.keep[first] < 1;
        const offset = noisy || sparse ? this.table.offset(random, 2 * n) : 0;
        this.noiseOffsets[first / lanesPerMember] = offset;
        for (let side = 0; side < lanesPerMember; side++) {
          if (!noisy && !sparse) {
            this.factors[lane + side] = this.lossScale[first + side];
            continue;
          }
          const at = first + side;
          const lossScale = this.lossScale[at];
          const level = this.noise[at] * (this.shrinking[at] === 1 ? this.shrink(at) : 1);
          // A normal number above the threshold: dropped with probability 1 − keep.
          const threshold = sparse ? normalQuantile(this.keep[at]) : Infinity;
          let k = b * n * width + lane + side;
          for (let i = 0; i < n; i++, k += width) {
            let g = gradient[k];
            if (noisy) g += level * this.table.values[offset + i];
            if (sparse && this.table.values[offset + n + i] > threshold) g = 0;
            gradient[k] = g * lossScale;
          }
        }
      }
      this.multiply(gradient, b);
    }
  }

  /** The lanes of a block by their `factors`. */
  private multiply(gradient: FloatArray, block: number): void {
    const { n, width, factors } = this;
    for (let k = block * n * width; k < (block + 1) * n * width; k += width) {
      for (let lane = 0; lane < width; lane++) gradient[k + lane] *= factors[lane];
    }
  }

  /**
   * J(θ)ᵀ·vector, J the derivative with respect to θ of what `gradient` gave: Hessians of the minibatches' losses, with
   * the noise and the zeroed entries held constant. Exact where the family offers products, else by `differenceProduct`.
   * @param random the random numbers of that call of `gradient`, from the beginning, each time it is called; `running` has
   * to be what it was before that call, and is what it was after that call afterwards
   * @param noiseOffsets those after that call
   * @param product out, like theta
   */
  gradientProduct(
    theta: FloatArray,
    vector: FloatArray,
    product: FloatArray,
    random: () => Random,
    noiseOffsets: Int32Array,
  ): void {
    const { n, width, blocks, scale, lanesPerMember, inner } = this;
    this.unscale(theta);
    this.current = false;
    const inside = vector.slice();
    for (let b = 0; b < blocks; b++) {
      for (let lane = 0; lane < width; lane++) {
        const at = b * width + lane;
        const sparse = this.keep[at] < 1;
        const threshold = sparse ? normalQuantile(this.keep[at]) : Infinity;
        const offset = noiseOffsets[Math.floor(at / lanesPerMember)];
        for (let i = 0, k = b * n * width + lane; i < n; i++, k += width) {
          const dropped = sparse && this.table.values[offset + n + i] > threshold;
          inside[k] = dropped ? 0 : (vector[k] * this.lossScale[at]) / scale[k];
        }
      }
    }
    if (inner.hessianVectorProduct) inner.hessianVectorProduct(this.z, inside, product, random());
    else differenceProduct(inner, blocks, width, this.z, inside, product, random);
    for (let k = 0; k < product.length; k++) product[k] /= scale[k];
  }

  /** At a member's first gradient: its noise is relative to the root mean square of that gradient. */
  private measureNoise(block: number, lane: number, gradient: FloatArray): void {
    const { n, width } = this;
    const at = block * width + lane;
    if (!Number.isNaN(this.start[at])) return;
    let squares = 0;
    for (let i = 0; i < n; i++) squares += gradient[(block * n + i) * width + lane] ** 2;
    const rms = Math.sqrt(squares / n + 1e-20);
    for (let l = at; l < at + this.lanesPerMember; l++) {
      this.start[l] = this.values[at] + 1e-20;
      if (this.noise[l] !== 0) this.noise[l] *= rms;
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
