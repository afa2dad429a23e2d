import type { FloatArray } from '../../bindings/types';
import type { LaneFamily, LaneMembers } from '../../lib/problems/lanes/family';
import type { MetaGradient } from '../golden/files';

/** The problem of a golden file as a family with one member: Σ ½‖W_t x_t − y_t‖² over the tensors, in double precision. */
export function goldenFamily(data: MetaGradient, offersProducts: boolean): LaneFamily {
  const lengths = data.tensors.map((t) => t.initial.length);
  const starts = lengths.map((_, t) => lengths.slice(0, t).reduce((p, q) => p + q, 0));
  /** Residuals W_t v_t − y_t, or W_t v_t. */
  const residuals = (v: FloatArray, t: number, withTarget: boolean): number[] =>
    data.tensors[t].y.map((target, row) => {
      let r = withTarget ? -target : 0;
      for (let j = 0; j < lengths[t]; j++) r += data.tensors[t].W[row * lengths[t] + j] * v[starts[t] + j];
      return r;
    });
  /** WᵀW v − Wᵀy, or WᵀW v */
  const apply = (v: FloatArray, out: FloatArray, withTarget: boolean): void => {
    out.fill(0);
    data.tensors.forEach(({ W }, t) => {
      residuals(v, t, withTarget).forEach((r, row) => {
        for (let j = 0; j < lengths[t]; j++) out[starts[t] + j] += W[row * lengths[t] + j] * r;
      });
    });
  };
  const members: LaneMembers = {
    sample: () => Float64Array.from(data.tensors.flatMap((t) => t.initial)),
    running: () => [],
    evaluate(theta, value, gradient) {
      if (value !== null) {
        value[0] = data.tensors.reduce(
          (sum, _, t) => residuals(theta, t, true).reduce((s, r) => s + (r * r) / 2, sum),
          0,
        );
      }
      if (gradient !== null) apply(theta, gradient, true);
    },
    ...(offersProducts && {
      hessianVectorProduct: (_: FloatArray, v: FloatArray, out: FloatArray) => apply(v, out, false),
    }),
  };
  return {
    name: data.name,
    lengths,
    horizonFactor: 1,
    sparseProbability: 0,
    noiseProbability: 0,
    create: () => members,
  };
}
