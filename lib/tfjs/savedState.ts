import * as tf from '@tensorflow/tfjs-core';
import type { Architecture } from '../optimizer/architecture';
import type { TensorSnapshot } from '../optimizer/engine';

/** What `tf.Optimizer` exchanges; tfjs-core does not export the type. */
export interface NamedTensor {
  name: string;
  tensor: tf.Tensor;
}

/** State of one variable as it was saved. */
export interface SavedVariable {
  /** Shape of the variable. */
  readonly shape: readonly number[];
  readonly snapshot: TensorSnapshot;
}

export interface SavedState {
  readonly globalHidden: Float32Array;
  readonly variables: readonly SavedVariable[];
}

/** A tensor of a saved state: where it belongs and its shape. */
interface Part {
  readonly key: 'logLearningRate' | 'hidden' | 'momentum' | 'scale' | 'position' | 'tensorHidden';
  readonly shape: (variableShape: readonly number[]) => number[];
}

/** The tensors of one variable's state, in order. η comes first and has the variable's shape, which tells the others'. */
function partsOf(a: Architecture): Part[] {
  const perCoordinate = (width: number) => (shape: readonly number[]) => [tf.util.sizeFromShape([...shape]), width];
  const parts: Part[] = [
    { key: 'logLearningRate', shape: (shape) => [...shape] },
    { key: 'hidden', shape: perCoordinate(a.parameterHidden) },
    { key: 'momentum', shape: perCoordinate(a.timescales) },
    { key: 'scale', shape: perCoordinate(a.timescales) },
  ];
  if (a.attention) parts.push({ key: 'position', shape: (shape) => [...shape] });
  if (a.levels > 1) parts.push({ key: 'tensorHidden', shape: () => [a.tensorHidden] });
  return parts;
}

/**
 * State as named tensors, in order, without the iterations: the global state (three levels), then of every variable η,
 * hidden, ḡ, λ, θ (lookahead) and the tensor state. The caller owns the tensors.
 */
export function toNamedTensors(
  a: Architecture,
  globalHidden: Float32Array,
  variables: readonly { readonly variable: tf.Variable; readonly snapshot: TensorSnapshot }[],
): NamedTensor[] {
  const result: NamedTensor[] = [];
  if (a.levels > 2) result.push({ name: 'learnedOptimizer/globalHidden', tensor: tf.tensor1d(globalHidden) });
  const parts = partsOf(a);
  for (const { variable, snapshot } of variables) {
    for (const { key, shape } of parts) {
      const data =
        key === 'tensorHidden'
          ? snapshot.tensorHidden
          : // θ before the first step is where the variable is.
            (snapshot.cell[key] ?? Float32Array.from(variable.dataSync()));
      result.push({
        name: `${variable.name}/learnedOptimizer/${key}`,
        tensor: tf.tensor(data as Float32Array, shape(variable.shape), 'float32'),
      });
    }
  }
  return result;
}

/**
 * The reverse of `toNamedTensors`: by order and shape, since names of variables change from process to process.
 * @throws RangeError when the tensors are no state of this architecture
 */
export async function fromNamedTensors(a: Architecture, tensors: readonly NamedTensor[]): Promise<SavedState> {
  const values = await Promise.all(tensors.map(async ({ tensor }) => Float32Array.from(await tensor.data())));
  const parts = partsOf(a);
  let next = 0;
  const take = (what: string, shape: readonly number[]): Float32Array => {
    const given = tensors[next]?.tensor.shape;
    if (given === undefined || given.join() !== shape.join()) {
      throw new RangeError(
        `weightValues[${next + 1}] (${what}): expected shape [${shape.join(', ')}], got ${given === undefined ? 'no tensor' : `[${given.join(', ')}]`}; ` +
          'was the state saved with weights of another architecture?',
      );
    }
    return values[next++];
  };
  const globalHidden = a.levels > 2 ? take('global state', [a.globalHidden]) : new Float32Array(0);
  const variables: SavedVariable[] = [];
  while (next < tensors.length) {
    const shape = tensors[next].tensor.shape;
    const read = Object.fromEntries(
      parts.map((part) => [part.key, take(`${part.key} of variable ${variables.length}`, part.shape(shape))]),
    ) as Record<Part['key'], Float32Array>;
    const { tensorHidden = new Float32Array(0), ...cell } = read;
    variables.push({ shape, snapshot: { cell, tensorHidden } });
  }
  return { globalHidden, variables };
}
