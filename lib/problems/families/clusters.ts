import { permutation, type Random } from '../../random';
import { checkPositiveInteger } from '../checks';
import { addRowsTimes } from '../matrix';
import type { ClassificationSamples } from '../mlp';

export interface ClusterOptions {
  readonly features: number;
  readonly samples: number;
  readonly classes: number;
  /** Half the side of the hypercube that the centres are corners of: the larger, the easier. */
  readonly separation: number;
  /** Default 2. */
  readonly clustersPerClass?: number;
  /** Share of the labels that are drawn anew at random. Default 0.01. */
  readonly flip?: number;
}

/**
 * Gaussian clusters for classification, as scikit-learn's `make_classification` makes them when all features are
 * informative (Guyon 2003): centres on different corners of the cube ±separation, the normal samples of each cluster
 * multiplied by a random matrix uniform in ±1, a few labels wrong, everything in random order.
 * @throws {RangeError} if a number is not a positive integer, or there are fewer corners than clusters
 */
export function gaussianClusters(options: ClusterOptions, random: Random): ClassificationSamples {
  const { features: d, samples, classes, separation, clustersPerClass = 2, flip = 0.01 } = options;
  for (const [name, value] of Object.entries({ features: d, samples, classes, clustersPerClass })) {
    checkPositiveInteger(name, value);
  }
  const clusters = classes * clustersPerClass;
  if (2 ** d < clusters) {
    throw new RangeError(
      `features: expected at least ${Math.ceil(Math.log2(clusters))} for ${clusters} clusters, got ${d}`,
    );
  }
  const values = new Float32Array(samples * d);
  const labels = new Uint8Array(samples);
  const order = permutation(random, samples);
  const corners = differentCorners(clusters, d, random);
  const normal = new Float64Array(d);
  for (let cluster = 0, next = 0; cluster < clusters; cluster++) {
    const count = Math.floor(samples / clusters) + (cluster < samples % clusters ? 1 : 0);
    const mixing = Float64Array.from({ length: d * d }, () => 2 * random.uniform() - 1);
    const sample = new Float64Array(d);
    for (let i = 0; i < count; i++, next++) {
      for (let k = 0; k < d; k++) normal[k] = random.normal();
      for (let c = 0; c < d; c++) sample[c] = separation * corners[cluster][c];
      addRowsTimes(mixing, normal, sample);
      values.set(sample, order[next] * d);
      labels[order[next]] = random.uniform() < flip ? random.integer(classes) : cluster % classes;
    }
  }
  return { features: values, featureCount: d, labels };
}

/** Corners of the cube ±1, no two the same. */
function differentCorners(count: number, dimensions: number, random: Random): Int8Array[] {
  const seen = new Set<string>();
  const corners: Int8Array[] = [];
  while (corners.length < count) {
    const corner = Int8Array.from({ length: dimensions }, () => 2 * random.integer(2) - 1);
    const key = corner.join();
    if (seen.has(key)) continue;
    seen.add(key);
    corners.push(corner);
  }
  return corners;
}
