import { createOptimizer } from '../lib/index';
import { prefixValues } from './cases';
import type { Case } from './cases';
import { startValues, VALUES } from './contestants';
import type { Contestant } from './contestants';

/** Largest difference from the reference, as a share of the root mean square movement, that single precision explains. */
const TOLERANCE = 2e-3;

/** Parameters of a case's prefix after `steps` steps of the learned optimizer in double precision. */
function reference(measured: Case, steps: number): { readonly start: Float64Array[]; readonly end: Float64Array[] } {
  const { start, gradient } = VALUES;
  const make = (v: { stream: number; scale: number }): Float64Array[] =>
    prefixValues(measured.prefix, v.stream, v.scale).map((x) => Float64Array.from(x));
  const end = make(start);
  const optimizer = createOptimizer(end);
  const gradients = make(gradient);
  for (let i = 0; i < steps; i++) optimizer.step(gradients);
  optimizer.dispose();
  return { start: make(start), end };
}

function rootMeanSquare(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
}

/** Why the learned optimizer's parameters are not those of the double precision reference, or null. */
export function differenceFromReference(measured: Case, contestant: Contestant, steps: number): string | null {
  const { start, end } = reference(measured, steps);
  const moved = end.map((p, t) => rootMeanSquare(p.map((v, i) => v - start[t][i])));
  for (const [t, values] of contestant.parameters().entries()) {
    const expected = end[t % end.length];
    // Rounding of the parameter itself, once per step.
    const rounding = 2 ** -24 * rootMeanSquare(expected) * steps;
    const allowed = TOLERANCE * moved[t % end.length] + rounding;
    for (let i = 0; i < values.length; i++) {
      const e = expected[i % expected.length];
      if (Math.abs(values[i] - e) <= allowed) continue;
      return (
        `after ${steps} steps parameter ${i} of tensor ${t} is ${values[i]}, the double precision reference has ${e} ` +
        `(allowed: ±${allowed.toExponential(1)})`
      );
    }
  }
  return null;
}

/** Why a contestant's parameters cannot be the result of training, or null: all finite, every tensor has moved. */
export function notTrained(measured: Case, contestant: Contestant): string | null {
  const start = startValues(measured);
  for (const [t, values] of contestant.parameters().entries()) {
    if (!values.every(Number.isFinite)) return `tensor ${t} has parameters that are not finite`;
    if (values.every((v, i) => v === start[t][i])) return `tensor ${t} has not moved`;
  }
  return null;
}
