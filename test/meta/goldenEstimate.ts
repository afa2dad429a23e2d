import type { Precision } from '../../bindings/types';
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

export const metaGradientFiles = goldenFiles().flatMap((golden) => (golden.kind === 'metaGradient' ? [golden] : []));

export interface EstimateOptions {
  readonly precision: Precision;
  /** Whether the family offers products with Hessians; else they are differences of gradients. */
  readonly products: boolean;
  /** Default: none but the start. */
  readonly checkpointInterval?: number;
}

/** What an estimate of a golden file's meta-gradient is off by. */
export interface EstimateErrors {
  /** Steps of all problems together, and how many problems there are. */
  readonly steps: number;
  readonly problems: number;
  /** |loss − recorded loss| */
  readonly loss: number;
  /** ‖ours − recorded‖ over ‖recorded‖, of the whole gradient. */
  readonly whole: number;
  /** By meta-parameter, the norms of the difference and of the recording. */
  readonly parts: readonly { readonly name: string; readonly difference: number; readonly norm: number }[];
}

const norm = (v: ArrayLike<number>): number => Math.sqrt(Array.from(v).reduce((s, x) => s + x * x, 0));

/** The estimator's gradient for the whole recorded trajectory as one truncation, compared with the recorded one. */
export function estimateErrors(data: MetaGradient, settings: EstimateOptions): EstimateErrors {
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
    checkpointInterval: settings.checkpointInterval ?? data.params.length,
  };
  const family = goldenFamily(data, settings.products);
  const estimator = new BpttFamily(weights.architecture, family, 1, table, 1, settings.precision);
  const { problems } = estimator;
  estimator.begin(createRandom(1), options);
  const logRates = Array.from({ length: problems }, () => data.tensors.flatMap((t) => t.initialLogLearningRate));
  estimator.importState({ ...estimator.exportState(), logRates: Float64Array.from(logRates.flat()) }, options);
  const { gradient, loss, steps } = estimator.run(flatten(weights), createRandom(2), options);

  const golden = releasedGradient(data);
  const shapes = metaParameterShapes(weights.architecture);
  const unknown = [...golden.keys()].filter((name) => !shapes.some(([ours]) => ours === name));
  if (unknown.length > 0) throw new Error(`the recording has gradients of ${unknown.join(', ')}, the estimate has not`);
  let offset = 0;
  const parts = shapes.map(([name, shape]) => {
    const size = shape.reduce((p, q) => p * q, 1);
    const expected = golden.get(name);
    if (expected?.length !== size) throw new Error(`${name}: ${size} gradients, the recording has ${expected?.length}`);
    const difference = norm(expected.map((e, i) => gradient[offset + i] - e));
    offset += size;
    return { name, difference, norm: norm(expected) };
  });
  const [f0, ...later] = data.objectives;
  const recorded = later.reduce((sum, f) => sum + Math.log(f / (f0 + 1e-6) + 1e-6), 0) / later.length;
  const whole = norm(parts.map((p) => p.difference)) / norm(parts.map((p) => p.norm));
  return { steps, problems, loss: Math.abs(loss - recorded), whole, parts };
}
