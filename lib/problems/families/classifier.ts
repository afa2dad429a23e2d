import type { Random } from '../../random';
import { checkBatchSize } from '../checks';
import type { ClassificationSamples } from '../mlp';
import { sizeOf, type ParameterShape } from '../problem';

/** Weight of the L2 regularisation of the classifiers, as in the released code. */
export const L2_SCALE = 1e-3;

/**
 * scale · mean over the tensors of their sums of squares.
 * @param v direction, or θ itself, for the derivative; null: not wanted
 * @param out the derivative of the gradient along v (for v = θ the gradient) is added here
 */
export function addL2(
  parameters: readonly ParameterShape[],
  scale: number,
  theta: Float64Array,
  v: Float64Array | null,
  out: Float64Array | null,
): number {
  const share = scale / parameters.length;
  let squares = 0;
  for (let i = 0; i < theta.length; i++) squares += theta[i] * theta[i];
  if (v !== null && out !== null) {
    for (let i = 0; i < v.length; i++) out[i] += 2 * share * v[i];
  }
  return share * squares;
}

/** N(0, 1)·1.2/√(first dimension), for every tensor. */
export function scaledNormalStart(parameters: readonly ParameterShape[], random: Random): Float64Array {
  return Float64Array.from(
    parameters.flatMap((parameter) => {
      const scale = 1.2 / Math.sqrt(parameter.shape[0]);
      return Array.from({ length: sizeOf(parameter) }, () => scale * random.normal());
    }),
  );
}

/** @throws {RangeError} if features, labels, classes and the size of a minibatch do not fit each other */
export function checkSamples(samples: ClassificationSamples, classes: number, batchSize: number): void {
  const { features, featureCount, labels } = samples;
  if (features.length !== labels.length * featureCount) {
    throw new RangeError(
      `samples.features: expected ${labels.length} × ${featureCount} values, got ${features.length}`,
    );
  }
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw new RangeError(`samples.labels[${wrong}]: expected less than ${classes}, got ${labels[wrong]}`);
  }
  checkBatchSize(batchSize, labels.length);
}
