import { createRandom, type Random } from '../random';
import { DenseLayer } from './network/denseLayer';
import { Network } from './network/network';

export interface RobustRegressionOptions {
  readonly features: number;
  readonly samples: number;
  readonly batchSize: number;
  /** Condition number of the features' second moments. */
  readonly condition: number;
  /** Share of the targets with an error of standard deviation 5; the others have 0.05. */
  readonly outliers: number;
  /** Of the data; the start depends on the seed given to `initial`. */
  readonly seed: number;
}

/**
 * Linear regression with the Cauchy loss on correlated features with outliers. The features are normal with standard
 * deviations falling geometrically along random orthogonal directions; the weights start at N(0, 1), the bias at 0.
 */
export function robustRegression(options: RobustRegressionOptions): Network {
  const { features: size, samples, condition, outliers } = options;
  const random = createRandom(options.seed, 2);
  const directions = orthogonal(size, random);
  const truth = Float64Array.from({ length: size }, () => 3 * random.normal());
  const features = new Float32Array(samples * size);
  const values = new Float32Array(samples);
  for (let s = 0; s < samples; s++) {
    const x = features.subarray(s * size, (s + 1) * size);
    directions.forEach((direction, i) => {
      const along = random.normal() * condition ** (-0.5 * (size > 1 ? i / (size - 1) : 0));
      for (let j = 0; j < size; j++) x[j] += along * direction[j];
    });
    const exact = x.reduce((sum, value, j) => sum + value * truth[j], 0.5);
    const spread = random.uniform() < outliers ? 5 : 0.05;
    values[s] = exact + spread * random.normal();
  }
  return new Network({
    name: 'robust-regression',
    layers: [new DenseLayer(size, 1, 1)],
    features,
    target: { kind: 'values', values, loss: 'cauchy' },
    batchSize: options.batchSize,
  });
}

/** Random orthonormal vectors (Gram–Schmidt on normal ones). */
function orthogonal(size: number, random: Random): Float64Array[] {
  const vectors: Float64Array[] = [];
  for (let i = 0; i < size; i++) {
    const v = Float64Array.from({ length: size }, () => random.normal());
    for (const u of vectors) {
      const along = u.reduce((sum, value, j) => sum + value * v[j], 0);
      for (let j = 0; j < size; j++) v[j] -= along * u[j];
    }
    const norm = Math.hypot(...v);
    vectors.push(v.map((value) => value / norm));
  }
  return vectors;
}
