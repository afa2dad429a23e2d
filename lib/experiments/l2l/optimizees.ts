import { featureCount, features, type LabelledImages } from '../../datasets/images';
import { denseLayers } from '../../problems/network/layers';
import { Network } from '../../problems/network/network';
import { loadTaskData, type TaskDataOptions } from '../tasks/data';
import { NETWORK_TASKS } from '../tasks/networkTasks';

/** Classes of digits. */
const CLASSES = 10;

/** Hidden units and batch of the optimizee of Andrychowicz et al. 2016, section 3.2. */
const HIDDEN = 20;
const BATCH = 128;

/** Samples of an evaluation of the loss. */
const EVALUATION_SAMPLES = 2000;

/**
 * The multilayer perceptron that L2L is meta-trained on (Andrychowicz et al. 2016, section 3.2): one hidden layer of 20
 * sigmoid units, softmax cross entropy, batches of 128; or the same with relu units, on which it is known to fail. Starts:
 * Glorot for sigmoid, He for relu; biases 0.
 */
export function mlpOptimizee(images: LabelledImages, activation: 'sigmoid' | 'relu' = 'sigmoid'): Network {
  const size = featureCount(images);
  return new Network({
    name: `mlp ${size}-${HIDDEN}-${CLASSES} ${activation}, ${images.count} images`,
    layers: denseLayers([size, HIDDEN, CLASSES], activation, activation === 'relu' ? 'he' : 'glorot'),
    features: features(images),
    target: { kind: 'classes', labels: images.labels },
    batchSize: BATCH,
    evaluationSamples: Math.min(EVALUATION_SAMPLES, images.count),
  });
}

/**
 * The images that L2L is meta-trained on: those of the tasks on MNIST.
 * @throws {MissingDataError} if they are not there and not to be had; the signal's reason when aborted
 */
export async function loadL2lImages(options: TaskDataOptions = {}): Promise<LabelledImages> {
  const { mnist } = await loadTaskData(
    NETWORK_TASKS.filter(({ data }) => data === 'mnist'),
    options,
  );
  return mnist!;
}
