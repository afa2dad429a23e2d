import type { FloatArray } from '../../bindings/types';
import type { LaneFamily, LaneMembers } from '../../lib/problems/lanes/family';
import type { MetaGradient } from '../golden/files';

/** Σ ½‖W_t x_t − y_t‖² over the tensors of a golden file, computed in double precision. */
class GoldenObjective {
  readonly lengths: readonly number[];
  private readonly starts: readonly number[];

  constructor(private readonly data: MetaGradient) {
    this.lengths = data.tensors.map((t) => t.initial.length);
    this.starts = this.lengths.map((_, t) => this.lengths.slice(0, t).reduce((p, q) => p + q, 0));
  }

  /** Residuals W_t v_t − y_t, or W_t v_t. */
  private residuals(v: Float64Array, t: number, withTarget: boolean): number[] {
    const { W, y } = this.data.tensors[t];
    return y.map((target, row) => {
      let r = withTarget ? -target : 0;
      for (let j = 0; j < this.lengths[t]; j++) r += W[row * this.lengths[t] + j] * v[this.starts[t] + j];
      return r;
    });
  }

  value(v: Float64Array): number {
    return this.data.tensors.reduce(
      (sum, _, t) => this.residuals(v, t, true).reduce((s, r) => s + (r * r) / 2, sum),
      0,
    );
  }

  /** WᵀW v − Wᵀy, or WᵀW v */
  apply(v: Float64Array, withTarget: boolean): Float64Array {
    const out = new Float64Array(v.length);
    this.data.tensors.forEach(({ W }, t) => {
      this.residuals(v, t, withTarget).forEach((r, row) => {
        for (let j = 0; j < this.lengths[t]; j++) out[this.starts[t] + j] += W[row * this.lengths[t] + j] * r;
      });
    });
    return out;
  }
}

/** The problem of a golden file as a family with one member, which is in every lane. */
export function goldenFamily(data: MetaGradient, offersProducts: boolean): LaneFamily {
  const objective = new GoldenObjective(data);
  const membersOf = (problems: number, width: number): LaneMembers => {
    const N = data.tensors.reduce((sum, t) => sum + t.initial.length, 0);
    const at = (problem: number, i: number): number =>
      (Math.floor(problem / width) * N + i) * width + (problem % width);
    const forEachProblem = (points: FloatArray, body: (v: Float64Array, problem: number) => void): void => {
      for (let problem = 0; problem < problems; problem++) {
        body(
          Float64Array.from({ length: N }, (_, i) => points[at(problem, i)]),
          problem,
        );
      }
    };
    const applyTo = (points: FloatArray, out: FloatArray, withTarget: boolean): void =>
      forEachProblem(points, (v, problem) =>
        objective.apply(v, withTarget).forEach((g, i) => (out[at(problem, i)] = g)),
      );
    return {
      sample: () => Float64Array.from(data.tensors.flatMap((t) => t.initial)),
      running: () => [],
      evaluate(theta, value, gradient) {
        if (value !== null) forEachProblem(theta, (v, problem) => (value[problem] = objective.value(v)));
        if (gradient !== null) applyTo(theta, gradient, true);
      },
      ...(offersProducts && {
        hessianVectorProduct: (_: FloatArray, v: FloatArray, out: FloatArray) => applyTo(v, out, false),
      }),
    };
  };
  return {
    name: data.name,
    lengths: objective.lengths,
    horizonFactor: 1,
    sparseProbability: 0,
    noiseProbability: 0,
    create: (blocks, width) => membersOf(blocks * width, width),
  };
}
