import type { Random } from '../random';

/** He: normal, variance 2/inputs (He et al. 2015). Glorot: uniform in ±√(6/(inputs + outputs)) (Glorot & Bengio 2010). */
export type Start = 'he' | 'glorot';

/** Start values of a weight matrix [inputs][outputs]. */
export function startWeights(inputs: number, outputs: number, start: Start, random: Random): Float32Array {
  const he = Math.sqrt(2 / inputs);
  const glorot = Math.sqrt(6 / (inputs + outputs));
  const draw = start === 'he' ? () => he * random.normal() : () => glorot * (2 * random.uniform() - 1);
  return Float32Array.from({ length: inputs * outputs }, draw);
}
