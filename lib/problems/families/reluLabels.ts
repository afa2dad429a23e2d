import type { Random } from '../../random';
import { addProduct } from '../matrix';
import type { ClassificationSamples } from '../mlp';

const [LAYERS, WIDTH] = [6, 20];
/** Share that the rarer class has at least. */
const RARER_CLASS = 0.05;

/**
 * Standard normal samples with the label 1 where the first output of a random ReLU network (6 layers of 20 units, no
 * biases, weights N(0, 2/features) as in the released code) is positive. Networks that put nearly all samples into one
 * class are drawn again; the released code keeps them.
 */
export function randomReluLabels(features: number, samples: number, random: Random): ClassificationSamples {
  const values = Float64Array.from({ length: samples * features }, () => random.normal());
  for (;;) {
    const labels = labelsOf(values, features, samples, random);
    const ones = labels.reduce((sum, label) => sum + label, 0);
    if (Math.min(ones, samples - ones) >= RARER_CLASS * samples) {
      return { features: Float32Array.from(values), featureCount: features, labels };
    }
  }
}

function labelsOf(values: Float64Array, features: number, samples: number, random: Random): Uint8Array {
  const scale = Math.sqrt(2 / features);
  let [input, width] = [values, features];
  for (let layer = 0; layer < LAYERS; layer++) {
    const weights = Float64Array.from({ length: width * WIDTH }, () => scale * random.normal());
    const output = new Float64Array(samples * WIDTH);
    addProduct(input, weights, output, samples, width, WIDTH);
    for (let i = 0; i < output.length; i++) output[i] = Math.max(output[i], 0);
    [input, width] = [output, WIDTH];
  }
  return Uint8Array.from({ length: samples }, (_, s) => (input[s * WIDTH] > 0 ? 1 : 0));
}
