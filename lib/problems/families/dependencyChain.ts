import type { Random } from '../../random';
import { checkPositiveInteger } from '../checks';
import type { Family } from '../family';
import { normalStart, type Objective } from '../objective';
import type { ParameterShape } from '../problem';
import { vector } from './quadratic';

const EPSILON = 1e-6;

/**
 * θ₀² + Σ_i θ²_{i+1} / (θ²_i + 1e-6): no coordinate can come to 0 before the one in front of it has stopped falling, so
 * progress is slow and steady. Analytic Hessian–vector product. Start: standard normal.
 */
export class DependencyChain implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount = 0;
  readonly batchSize = 0;

  /** @param links quotients; one coordinate more */
  constructor(readonly links: number) {
    checkPositiveInteger('links', links);
    this.name = chainName(links);
    this.parameters = vector(links + 1);
  }

  start(random: Random): Float64Array {
    return normalStart(this.links + 1, random);
  }

  value(theta: Float64Array): number {
    let sum = theta[0] ** 2;
    for (let i = 0; i < this.links; i++) sum += theta[i + 1] ** 2 / (theta[i] ** 2 + EPSILON);
    return sum;
  }

  gradient(theta: Float64Array, out: Float64Array): number {
    out.fill(0);
    out[0] = 2 * theta[0];
    let sum = theta[0] ** 2;
    for (let i = 0; i < this.links; i++) {
      const [a, b] = [theta[i], theta[i + 1]];
      const d = a * a + EPSILON;
      sum += (b * b) / d;
      out[i] -= (2 * a * b * b) / (d * d);
      out[i + 1] += (2 * b) / d;
    }
    return sum;
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array): void {
    out.fill(0);
    out[0] = 2 * v[0];
    for (let i = 0; i < this.links; i++) {
      const [a, b] = [theta[i], theta[i + 1]];
      const d = a * a + EPSILON;
      const aa = ((8 * a * a) / d - 2) * (b / d) ** 2;
      const ab = (-4 * a * b) / (d * d);
      out[i] += aa * v[i] + ab * v[i + 1];
      out[i + 1] += ab * v[i] + (2 / d) * v[i + 1];
    }
  }
}

function chainName(links: number): string {
  return `dependency-chain-${links}`;
}

/** Chains of so many links; instances differ in their start. */
export function dependencyChainFamily(links: number): Family {
  return { name: chainName(links), parameters: vector(links + 1), sample: () => new DependencyChain(links) };
}
