import type { Random } from '../../random';
import type { Family } from '../family';
import { FUNCTIONS_2D, type Function2d } from '../lanes/testFunctions2d';
import { normalStart, type Objective } from '../objective';
import type { ParameterShape } from '../problem';
import { vector } from './quadratic';

/** ∂²f/∂x², ∂²f/∂x∂y, ∂²f/∂y² */
export type Hessian = (x: number, y: number) => readonly [number, number, number];

const { PI, cos, exp, sin, sqrt } = Math;

/** The names that families have, with the second derivatives of the functions. */
const SECOND_DERIVATIVES: readonly { readonly slug: string; readonly name: string; readonly hessian: Hessian }[] = [
  { slug: 'ackley', name: 'Ackley', hessian: ackley },
  { slug: 'beale', name: 'Beale', hessian: beale },
  { slug: 'booth', name: 'Booth', hessian: () => [10, 8, 10] },
  { slug: 'branin', name: 'Branin', hessian: branin },
  { slug: 'log-sum-exp', name: 'log-sum-exp', hessian: logSumExp },
  { slug: 'matyas', name: 'Matyas', hessian: () => [0.52, -0.48, 0.52] },
  {
    slug: 'michalewicz',
    name: 'Michalewicz',
    hessian: (x, y) => [-michalewiczTerm(x, 1), 0, -michalewiczTerm(y, 2)],
  },
  {
    slug: 'rosenbrock',
    name: 'Rosenbrock',
    hessian: (x, y) => [2 - 400 * (y - x * x) + 800 * x * x, -400 * x, 200],
  },
  { slug: 'styblinski-tang', name: 'Styblinski–Tang', hessian: (x, y) => [6 * x * x - 16, 0, 6 * y * y - 16] },
];

function ackley(x: number, y: number): [number, number, number] {
  const radius = sqrt(0.5 * (x * x + y * y) + 1e-12);
  const bowl = 20 * exp(-0.2 * radius);
  const [first, second] = [0.2 * bowl, -0.04 * bowl];
  // Derivatives of the radius.
  const [rx, ry] = [(0.5 * x) / radius, (0.5 * y) / radius];
  const curvature = (along: number, across: number, same: number): number =>
    second * along * across + first * ((same * 0.5 - along * across) / radius);
  const waves = exp(0.5 * (cos(2 * PI * x) + cos(2 * PI * y)));
  const [sx, sy] = [PI * sin(2 * PI * x), PI * sin(2 * PI * y)];
  return [
    curvature(rx, rx, 1) + waves * (2 * PI * PI * cos(2 * PI * x) - sx * sx),
    curvature(rx, ry, 0) - waves * sx * sy,
    curvature(ry, ry, 1) + waves * (2 * PI * PI * cos(2 * PI * y) - sy * sy),
  ];
}

function beale(x: number, y: number): [number, number, number] {
  let [xx, xy, yy] = [0, 0, 0];
  // Three terms (k − x + x·y^m)².
  for (const [m, k] of [
    [1, 1.5],
    [2, 2.25],
    [3, 2.625],
  ]) {
    const r = k - x + x * y ** m;
    const [rx, ry] = [y ** m - 1, m * x * y ** (m - 1)];
    const [rxy, ryy] = [m * y ** (m - 1), m === 1 ? 0 : m * (m - 1) * x * y ** (m - 2)];
    xx += 2 * rx * rx;
    xy += 2 * (rx * ry + r * rxy);
    yy += 2 * (ry * ry + r * ryy);
  }
  return [xx, xy, yy];
}

function branin(x: number, y: number): [number, number, number] {
  const b = 5.1 / (4 * PI * PI);
  const r = y - b * x * x + (5 / PI) * x - 6;
  const rx = 5 / PI - 2 * b * x;
  return [2 * (rx * rx - 2 * b * r) - 10 * (1 - 1 / (8 * PI)) * cos(x), 2 * rx, 2];
}

/** The covariance of the terms' slopes under their softmax. */
function logSumExp(x: number, y: number): [number, number, number] {
  const terms = [x + 3 * y - 0.1, x - 3 * y - 0.1, -x - 0.1, 0];
  const slopes = [
    [1, 3],
    [1, -3],
    [-1, 0],
    [0, 0],
  ];
  const largest = Math.max(...terms);
  const weights = terms.map((t) => exp(t - largest));
  const total = weights.reduce((a, b) => a + b, 0);
  const mean = (of: (slope: number[]) => number): number =>
    weights.reduce((sum, w, i) => sum + (w / total) * of(slopes[i]), 0);
  const [mx, my] = [mean(([a]) => a), mean(([, b]) => b)];
  return [mean(([a]) => a * a) - mx * mx, mean(([a, b]) => a * b) - mx * my, mean(([, b]) => b * b) - my * my];
}

/** Second derivative of sin x · sin(k x²/π)^10. */
function michalewiczTerm(x: number, k: number): number {
  const u = (k * x * x) / PI;
  const [du, d2u] = [(2 * k * x) / PI, (2 * k) / PI];
  const [s, c] = [sin(u), cos(u)];
  const first = 10 * s ** 9 * c * du;
  const second = 10 * (9 * s ** 8 * c * c - s ** 10) * du * du + 10 * s ** 9 * c * d2u;
  return -sin(x) * s ** 10 + 2 * cos(x) * first + sin(x) * second;
}

/**
 * A test function of two variables, raised so that it is not negative where it would be; analytic derivatives
 * (definitions: Surjanovic & Bingham, Virtual Library of Simulation Experiments). Start: uniform in the function's box,
 * standard normal for log-sum-exp.
 */
export class Landscape implements Objective {
  readonly parameters: readonly ParameterShape[] = vector(2);
  readonly sampleCount = 0;
  readonly batchSize = 0;
  private readonly slope: [number, number] = [0, 0];

  constructor(
    readonly name: string,
    private readonly f: Function2d,
    private readonly hessian: Hessian,
  ) {}

  start(random: Random): Float64Array {
    const { low, high } = this.f;
    if (this.name === 'log-sum-exp') return normalStart(2, random);
    return Float64Array.from(low, (from, i) => from + (high[i] - from) * random.uniform());
  }

  value(theta: Float64Array): number {
    return this.f.evaluate(theta[0], theta[1], this.slope);
  }

  gradient(theta: Float64Array, out: Float64Array): number {
    const value = this.value(theta);
    out.set(this.slope);
    return value;
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array): void {
    const [xx, xy, yy] = this.hessian(theta[0], theta[1]);
    const [a, b] = [v[0], v[1]];
    out[0] = xx * a + xy * b;
    out[1] = xy * a + yy * b;
  }
}

/** One family per test function; instances differ in their start. */
export function landscapeFamilies(): Family[] {
  return SECOND_DERIVATIVES.map(({ slug, name, hessian }) => {
    const f = FUNCTIONS_2D.find((candidate) => candidate.name === name)!;
    return { name: slug, parameters: vector(2), sample: () => new Landscape(slug, f, hessian) };
  });
}

/**
 * The family of one test function.
 * @throws {RangeError} if there is none of this name
 */
export function landscapeFamily(name: string): Family {
  const families = landscapeFamilies();
  const found = families.find((family) => family.name === name);
  if (found === undefined) {
    throw new RangeError(`name: expected one of ${families.map((family) => family.name).join(', ')}, got "${name}"`);
  }
  return found;
}
