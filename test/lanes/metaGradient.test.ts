import { describe, expect, it } from 'vitest';
import { createNativeLanes } from '../../bindings/lanes';
import { metaParameterShapes } from '../../lib/optimizer/architecture';
import { goldenFiles, goldenWeights } from '../golden/files';
import type { MetaGradient } from '../golden/files';
import { releasedGradient } from '../golden/metaGradients';

/** Unrolls a golden file's problem in double precision and takes the meta-gradient by the reverse of every step. */
function metaGradient(data: MetaGradient) {
  const weights = goldenWeights(data);
  const a = weights.architecture;
  const lanes = createNativeLanes({ architecture: a, precision: 'float64', threads: 1 });
  const flat = Float64Array.from(metaParameterShapes(a).flatMap(([name]) => Array.from(weights.tensors.get(name)!)));
  const lengths = data.tensors.map((t) => t.initial.length);
  const layout = { lengths, blocks: 1 };
  const N = lengths.reduce((p, q) => p + q, 0);
  const entries = lanes.stateEntries(layout);
  const [H, S] = [a.parameterHidden, a.timescales];
  const fields = H + 2 * S + 1;
  const tensorAt = N * fields;
  const globalAt = tensorAt + lengths.length * a.tensorHidden;
  const thetaAt = globalAt + a.globalHidden;
  const phiAt = a.attention ? thetaAt + N : thetaAt;
  expect(entries).toBe(phiAt + N);

  const starts = lengths.map((_, t) => lengths.slice(0, t).reduce((p, q) => p + q, 0));
  const state = new Float64Array(entries);
  data.tensors.forEach((tensor, t) =>
    tensor.initial.forEach((theta, j) => {
      const i = starts[t] + j;
      state.set(weights.tensors.get('parameter.initialHidden')!, i * fields);
      state[i * fields + fields - 1] = tensor.initialLogLearningRate[j];
      state[thetaAt + i] = theta;
      state[phiAt + i] = theta;
    }),
  );
  for (let t = 0; t < lengths.length; t++) {
    state.set(weights.tensors.get('tensor.initialHidden')!, tensorAt + t * a.tensorHidden);
  }
  state.set(weights.tensors.get('global.initialHidden')!, globalAt);

  /** WᵀW v − Wᵀy, or WᵀW v */
  const apply = (v: Float64Array, withTarget: boolean): Float64Array => {
    const out = new Float64Array(N);
    data.tensors.forEach(({ W, y }, t) => {
      const n = lengths[t];
      for (let row = 0; row < y.length; row++) {
        let r = withTarget ? -y[row] : 0;
        for (let j = 0; j < n; j++) r += W[row * n + j] * v[starts[t] + j];
        for (let j = 0; j < n; j++) out[starts[t] + j] += W[row * n + j] * r;
      }
    });
    return out;
  };
  const objective = (theta: Float64Array): number =>
    data.tensors.reduce((sum, { W, y }, t) => {
      const n = lengths[t];
      return (
        sum +
        y.reduce((s, target, row) => {
          let r = -target;
          for (let j = 0; j < n; j++) r += W[row * n + j] * theta[starts[t] + j];
          return s + r * r;
        }, 0) /
          2
      );
    }, 0);

  const T = data.params.length;
  const states = [state];
  const gradients: Float64Array[] = [];
  for (let step = 0; step < T; step++) {
    const now = states[step];
    const gradient = apply(now.subarray(phiAt, phiAt + N), true);
    const next = new Float64Array(entries);
    lanes.step({ ...layout, weights: flat, weightsPerLane: false, state: now, gradient, next });
    states.push(next);
    gradients.push(gradient);
  }
  const scale = objective(states[0].subarray(thetaAt, thetaAt + N)) + 1e-6;
  const losses = states.slice(1).map((s) => objective(s.subarray(thetaAt, thetaAt + N)));
  const adjoint = new Float64Array(entries);
  const weightsAdjoint = new Float64Array(flat.length);
  const gradientAdjoint = new Float64Array(N);
  for (let step = T - 1; step >= 0; step--) {
    const theta = states[step + 1].subarray(thetaAt, thetaAt + N);
    // d/dθ of ln(f/scale + 1e-6)/T
    const factor = 1 / (T * scale * (losses[step] / scale + 1e-6));
    apply(theta, true).forEach((g, i) => (adjoint[thetaAt + i] += factor * g));
    lanes.stepBackward({
      ...layout,
      weights: flat,
      state: states[step],
      gradient: gradients[step],
      adjoint,
      gradientAdjoint,
      weightsAdjoint,
    });
    if (data.secondDerivatives) apply(gradientAdjoint, false).forEach((g, i) => (adjoint[phiAt + i] += g));
  }
  // The learned initial states.
  let offset = 0;
  const gradient = new Map<string, Float64Array>();
  for (const [name, shape] of metaParameterShapes(a)) {
    const size = shape.reduce((p, q) => p * q, 1);
    gradient.set(name, weightsAdjoint.slice(offset, offset + size));
    offset += size;
  }
  const addInto = (name: string, from: number): void =>
    gradient.get(name)!.forEach((_, j) => (gradient.get(name)![j] += adjoint[from + j]));
  for (let i = 0; i < N; i++) addInto('parameter.initialHidden', i * fields);
  for (let t = 0; t < lengths.length; t++) addInto('tensor.initialHidden', tensorAt + t * a.tensorHidden);
  addInto('global.initialHidden', globalAt);
  return { gradient, losses };
}

const files = goldenFiles().flatMap((golden) => (golden.kind === 'metaGradient' ? [golden] : []));

describe('the meta-gradient through an unroll', () => {
  it.each(files.map(({ file, data }) => [file, data] as const))('equals that of the released code: %s', (_, data) => {
    const { gradient, losses } = metaGradient(data);
    losses.forEach((loss, t) => expect(loss / data.objectives[t + 1] - 1).toBeCloseTo(0, 6));
    const golden = releasedGradient(data);
    expect([...golden.keys()].sort()).toEqual([...gradient.keys()].sort());
    let [error, norm] = [0, 0];
    for (const [name, expected] of golden) {
      const ours = gradient.get(name)!;
      const square = (v: ArrayLike<number>): number => Array.from(v).reduce((s, x) => s + x * x, 0);
      const difference = square(Array.from(expected, (e, i) => ours[i] - e));
      error += difference;
      norm += square(expected);
      // Single tensors have their own scale; the recording is in single precision.
      expect(Math.sqrt(difference), name).toBeLessThan(2e-5 * Math.sqrt(square(expected)) + 1e-10);
    }
    expect(Math.sqrt(error / norm)).toBeLessThan(2e-6);
  });
});
