import { describe, expect, it } from 'vitest';
import { BpttFamily } from '../../lib/meta/bptt';
import type { BpttOptions } from '../../lib/meta/bptt';
import { flatten } from '../../lib/meta/flat';
import { metaParameterShapes } from '../../lib/optimizer/architecture';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { createRandom } from '../../lib/random';
import { goldenFiles, goldenWeights } from '../golden/files';
import type { MetaGradient } from '../golden/files';
import { releasedGradient } from '../golden/metaGradients';
import { goldenFamily } from './goldenFamily';

const table = new NoiseTable(1, 1 << 12);

/** The estimator's gradient for the whole recorded trajectory as one truncation, by name. */
function estimate(data: MetaGradient, offersProducts: boolean, checkpointInterval: number) {
  const weights = goldenWeights(data);
  const options: BpttOptions = {
    truncation: data.params.length,
    augmentation: { rescale: 0, interpolation: 0, saturation: 0 },
    initialRates: { paperRange: [1e-6, 1e-2], constantProbability: 0, constantRange: [1e-3, 1e-3] },
    horizon: [data.params.length, data.params.length],
    objective: 'log',
    secondDerivatives: data.secondDerivatives,
    clipNorm: Infinity,
    stopMultiplier: Infinity,
    checkpointInterval,
  };
  const family = goldenFamily(data, offersProducts);
  const estimator = new BpttFamily(weights.architecture, family, 1, table, 1, 'float64');
  estimator.begin(createRandom(1), options);
  const logRates = Float64Array.from(data.tensors.flatMap((t) => t.initialLogLearningRate));
  estimator.importState({ ...estimator.exportState(), logRates }, options);
  const { gradient, loss, steps } = estimator.run(flatten(weights), createRandom(2), options);
  const parts = new Map<string, Float64Array>();
  let offset = 0;
  for (const [name, shape] of metaParameterShapes(weights.architecture)) {
    const size = shape.reduce((p, q) => p * q, 1);
    parts.set(name, gradient.subarray(offset, offset + size));
    offset += size;
  }
  return { parts, loss, steps };
}

const files = goldenFiles().flatMap((golden) => (golden.kind === 'metaGradient' ? [golden] : []));
const square = (v: ArrayLike<number>): number => Array.from(v).reduce((s, x) => s + x * x, 0);

describe('truncated back-propagation', () => {
  it.each(
    files.flatMap(({ file, data }) => [
      [file, 'products with Hessians, no checkpoints', data, true, data.params.length] as const,
      [file, 'differences, a checkpoint every 3 steps', data, false, 3] as const,
    ]),
  )('gives the meta-gradient of the released code: %s, %s', (_, __, data, offersProducts, checkpointInterval) => {
    const { parts, loss, steps } = estimate(data, offersProducts, checkpointInterval);
    expect(steps).toBe(data.params.length);
    const [f0, ...later] = data.objectives;
    const mean = later.reduce((sum, f) => sum + Math.log(f / (f0 + 1e-6) + 1e-6), 0) / later.length;
    expect(loss).toBeCloseTo(mean, 5);
    const golden = releasedGradient(data);
    expect([...golden.keys()].sort()).toEqual([...parts.keys()].sort());
    let [error, norm] = [0, 0];
    for (const [name, expected] of golden) {
      const ours = parts.get(name)!;
      const difference = square(Array.from(expected, (e, i) => ours[i] - e));
      error += difference;
      norm += square(expected);
      // Single tensors have their own scale; the recording is in single precision.
      expect(Math.sqrt(difference), name).toBeLessThan(2e-5 * Math.sqrt(square(expected)) + 1e-10);
    }
    expect(Math.sqrt(error / norm)).toBeLessThan(2e-6);
  });
});
