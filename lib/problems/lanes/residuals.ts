import { laneResiduals } from '../../../bindings/lanes';
import type { FloatArray, Precision } from '../../../bindings/types';
import type { Random } from '../../random';
import { coordinatesOf, fillLanes, laneArray, powerOfTen } from './family';
import type { LaneFamily, LaneMembers, SamplingOptions } from './family';

const LOG_OFFSET = 1e-3;

/**
 * Quadratics and norms: v = ½ (Σ_r (|a_r·x − b_r| + 1e-6)^p)^q with normal A and b, columns of A scaled unevenly; mostly
 * p = 2, q = 1, else p from 1 to 3 and q = 1/p. Some members have a floor, saturate, or are seen through a logarithm.
 */
export class ResidualFamily implements LaneFamily {
  readonly sparseProbability = 0.2;
  readonly noiseProbability = 0.6;

  constructor(
    readonly name: string,
    readonly lengths: readonly number[],
    readonly horizonFactor: number,
  ) {}

  create(blocks: number, width: number, precision: Precision = 'float32'): LaneMembers {
    return new ResidualMembers(coordinatesOf(this), blocks, width, precision);
  }
}

class ResidualMembers implements LaneMembers {
  private readonly matrix: FloatArray;
  private readonly target: FloatArray;
  private readonly exponent: FloatArray;
  private readonly root: FloatArray;
  private readonly floor: FloatArray;
  /** c of the saturation; 0 for none. */
  private readonly ceiling: FloatArray;
  private readonly logarithmic: Uint8Array;
  private readonly sums: FloatArray;

  constructor(
    private readonly n: number,
    private readonly blocks: number,
    private readonly width: number,
    precision: Precision,
  ) {
    const lanes = blocks * width;
    this.matrix = laneArray(precision, lanes * n * n);
    this.target = laneArray(precision, lanes * n);
    this.exponent = laneArray(precision, lanes).fill(2);
    this.root = laneArray(precision, lanes).fill(1);
    this.floor = laneArray(precision, lanes);
    this.ceiling = laneArray(precision, lanes);
    this.logarithmic = new Uint8Array(lanes);
    this.sums = laneArray(precision, lanes);
  }

  sample(block: number, lanes: readonly number[], random: Random, options: SamplingOptions): Float64Array {
    const { n, width } = this;
    const spread = 1.5 * random.uniform();
    const scales = Float64Array.from({ length: n }, () => 10 ** (-spread * random.uniform()));
    fillLanes(
      this.matrix,
      width,
      block,
      lanes,
      Float64Array.from({ length: n * n }, (_, k) => random.normal() * scales[k % n]),
    );
    fillLanes(
      this.target,
      width,
      block,
      lanes,
      Float64Array.from({ length: n }, () => random.normal()),
    );
    const quadratic = random.uniform() < 0.6;
    const p = quadratic ? 2 : 1 + 2 * random.uniform();
    const floor = random.uniform() < 0.5 ? (n / 2) * powerOfTen(random, -5, -1) : 0;
    const ceiling = random.uniform() < options.saturation ? n * powerOfTen(random, -1, 1) : 0;
    const logarithmic = random.uniform() < 0.15;
    for (const lane of lanes) {
      const at = block * width + lane;
      this.exponent[at] = p;
      this.root[at] = quadratic ? 1 : 1 / p;
      this.floor[at] = floor;
      this.ceiling[at] = ceiling;
      this.logarithmic[at] = logarithmic ? 1 : 0;
    }
    return Float64Array.from({ length: n }, () => random.normal());
  }

  running(): [] {
    return [];
  }

  evaluate(theta: FloatArray, value: FloatArray | null, gradient: FloatArray | null): void {
    const { n, blocks, width, sums } = this;
    laneResiduals({
      blocks,
      threads: 1,
      rows: n,
      columns: n,
      matrix: this.matrix,
      target: this.target,
      exponent: this.exponent,
      x: theta,
      value: sums,
      gradient,
    });
    for (let b = 0; b < blocks; b++) {
      for (let lane = 0; lane < width; lane++) {
        const at = b * width + lane;
        // The chain from s = Σ (…)^p outwards; slope is dv/ds.
        const q = this.root[at];
        const s = sums[at];
        let v = q === 1 ? s / 2 : s ** q / 2;
        let slope = q === 1 ? 0.5 : (q * v) / s;
        const c = this.ceiling[at];
        if (c > 0) {
          slope *= (c / (v + c)) ** 2;
          v = (c * v) / (v + c);
        }
        v += this.floor[at];
        if (this.logarithmic[at] === 1) {
          slope /= v + LOG_OFFSET;
          v = Math.log(v + LOG_OFFSET) - Math.log(LOG_OFFSET);
        }
        if (value !== null) value[at] = v;
        sums[at] = slope;
      }
    }
    if (gradient === null) return;
    for (let b = 0, k = 0; b < blocks; b++) {
      for (let i = 0; i < n; i++) {
        for (let lane = 0; lane < width; lane++) gradient[k++] *= sums[b * width + lane];
      }
    }
  }
}
