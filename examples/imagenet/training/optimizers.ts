import type { Optimizer, Tensor, Variable } from '@tensorflow/tfjs';
import { learnedOptimizer, TfLearnedOptimizer } from 'learned-optimizer/tfjs';
import type { NamedTensor, OptimizerOptions } from 'learned-optimizer/tfjs';
import type { TensorFlow } from '../../../lib/tfjs/backend';
import type { TensorFile, TensorSource } from './tensorFile';

export const OPTIMIZERS = ['learned', 'adam', 'rmsprop', 'momentum'] as const;
export type OptimizerName = (typeof OPTIMIZERS)[number];

/** Of `momentum`, as in the ResNet papers. */
const MOMENTUM = 0.9;
const PREFIX = 'optimizer/';

/** Which optimizer; the learned one needs no rate, the others cannot do without. */
export type OptimizerChoice =
  | { readonly name: 'learned'; readonly options?: OptimizerOptions }
  | { readonly name: Exclude<OptimizerName, 'learned'>; readonly learningRate: number };

export function makeOptimizer(tf: TensorFlow, choice: OptimizerChoice): Optimizer {
  switch (choice.name) {
    case 'learned':
      return learnedOptimizer(choice.options);
    case 'adam':
      return tf.train.adam(choice.learningRate);
    case 'rmsprop':
      return tf.train.rmsprop(choice.learningRate);
    case 'momentum':
      return tf.train.momentum(choice.learningRate, MOMENTUM);
  }
}

/** `instanceof` is true of any optimizer: TensorFlow.js only asks whether it has the methods of one. */
export function isLearned(optimizer: Optimizer): optimizer is TfLearnedOptimizer {
  return optimizer.constructor === TfLearnedOptimizer;
}

/** Adam's powers of β. TensorFlow.js computes them anew from the iterations, which differs in the last bits. */
const POWERS = ['accBeta1', 'accBeta2'] as const;
const power = (optimizer: Optimizer, name: string): Variable | undefined =>
  (optimizer as unknown as Record<string, Variable | undefined>)[name];

function source(name: string, tensor: Tensor, disposeAfterwards: boolean): TensorSource {
  return {
    name: `${PREFIX}${name}`,
    dtype: tensor.dtype === 'int32' ? 'I32' : 'F32',
    shape: tensor.shape,
    read: () => {
      const data = tensor.dataSync() as Float32Array | Int32Array;
      // Copies of the learned optimizer are as large as its state: none may outlive its turn.
      if (disposeAfterwards) tensor.dispose();
      return data;
    },
  };
}

/** The state of an optimizer, to be written. */
export async function optimizerState(optimizer: Optimizer): Promise<TensorSource[]> {
  const weights = (await optimizer.getWeights()) as NamedTensor[];
  // The iterations come first, as a tensor of their own.
  const tensors = weights.map(({ name, tensor }, i) => source(`${i}/${name}`, tensor, i === 0 || isLearned(optimizer)));
  for (const name of POWERS) {
    const variable = power(optimizer, name);
    if (variable !== undefined) tensors.push(source(name, variable, false));
  }
  return tensors;
}

/**
 * Gives a fresh optimizer the state that a file holds.
 * @throws {Error} naming what does not fit
 */
export async function restoreOptimizer(tf: TensorFlow, optimizer: Optimizer, file: TensorFile): Promise<void> {
  const names = file.names.filter((name) => /^optimizer\/\d+\//.test(name));
  const weights = names.map((name) => {
    const { shape, data } = file.read(name);
    const tensor = tf.tensor(data, shape, data instanceof Int32Array ? 'int32' : 'float32');
    return { name: name.replace(/^optimizer\/\d+\//, ''), tensor };
  });
  try {
    await optimizer.setWeights(weights);
  } finally {
    tf.dispose(weights.map(({ tensor }) => tensor));
  }
  for (const name of POWERS) {
    const variable = power(optimizer, name);
    if (variable === undefined) continue;
    const { data } = file.read(`${PREFIX}${name}`);
    tf.tidy(() => variable.assign(tf.scalar(data[0])));
  }
}
