import type { Random } from '../../random';
import { checkPositiveInteger } from '../checks';
import type { Family } from '../family';
import { normalStart, type Objective } from '../objective';
import type { ParameterShape } from '../problem';
import { vector } from './quadratic';

const EPSILON = 1e-12;

/**
 * max_i θ²_i + 1/min_i θ²_i − 2 + 1e-12, least where all |θ_i| between the smallest and the largest are 1: the gradient of
 * all coordinates but two is zero. Analytic Hessian–vector product. Start: standard normal.
 */
export class MinMaxWell implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount = 0;
  readonly batchSize = 0;

  constructor(readonly size: number) {
    checkPositiveInteger('size', size);
    this.name = wellName(size);
    this.parameters = vector(size);
  }

  start(random: Random): Float64Array {
    return normalStart(this.size, random);
  }

  /** The first coordinate of smallest and of largest magnitude. */
  private extremes(theta: Float64Array): [smallest: number, largest: number] {
    let [smallest, largest] = [0, 0];
    for (let i = 1; i < theta.length; i++) {
      if (Math.abs(theta[i]) < Math.abs(theta[smallest])) smallest = i;
      if (Math.abs(theta[i]) > Math.abs(theta[largest])) largest = i;
    }
    return [smallest, largest];
  }

  value(theta: Float64Array): number {
    const [smallest, largest] = this.extremes(theta);
    return theta[largest] ** 2 + 1 / theta[smallest] ** 2 - 2 + EPSILON;
  }

  gradient(theta: Float64Array, out: Float64Array): number {
    const [smallest, largest] = this.extremes(theta);
    out.fill(0);
    out[largest] = 2 * theta[largest];
    out[smallest] -= 2 / theta[smallest] ** 3;
    return this.value(theta);
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array): void {
    const [smallest, largest] = this.extremes(theta);
    out.fill(0);
    out[largest] = 2 * v[largest];
    out[smallest] += (6 / theta[smallest] ** 4) * v[smallest];
  }
}

function wellName(size: number): string {
  return `min-max-well-${size}`;
}

/** Wells in `size` dimensions; instances differ in their start. */
export function minMaxWellFamily(size: number): Family {
  return { name: wellName(size), parameters: vector(size), sample: () => new MinMaxWell(size) };
}
