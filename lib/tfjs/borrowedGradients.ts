import type * as tf from '@tensorflow/tfjs-core';
import { borrowing, withBorrowed } from '../../bindings/index';
import type { BorrowedGradient, Borrowing } from '../../bindings/index';
import { backendOf } from './access';
import { asNodeBackend } from './nodeBackend';
import type { NodeBackend } from './nodeBackend';

/** The backend of tfjs-node when all of the gradients are there. */
export function lendingBackend(gradients: readonly tf.Tensor[]): NodeBackend | null {
  if (gradients.length === 0) return null;
  const backend = backendOf(gradients[0]);
  return gradients.every((gradient) => backendOf(gradient) === backend) ? asNodeBackend(backend) : null;
}

/**
 * Calls `use` while the native step may read the gradients in TensorFlow's memory. TensorFlow hands them over: tfjs-node
 * runs an op that the addon registered with the library, and the op's kernel takes a reference to every input.
 * @throws Error naming the option `zeroCopy` and what stands against it
 */
export function withBorrowedGradients<R>(
  backend: NodeBackend,
  gradients: readonly tf.Tensor[],
  use: (gradients: BorrowedGradient[]) => R,
): R {
  const { op, owner } = requireBorrowing(backend);
  const { TF_ATTR_INT } = backend.binding;
  const attributes = [
    { name: 'N', type: TF_ATTR_INT, value: gradients.length },
    { name: 'owner', type: TF_ATTR_INT, value: owner },
  ];
  const lend = (): void => void backend.executeMultipleOutputs(op, attributes, gradients, 0);
  return withBorrowed(gradients.length, lend, use);
}

function requireBorrowing(backend: NodeBackend): Borrowing {
  try {
    if (backend.isUsingGpuDevice) throw new Error('TensorFlow computes on a GPU, whose memory the step cannot read');
    return borrowing();
  } catch (error) {
    throw new Error(
      `zeroCopy: gradients cannot be read in TensorFlow's memory here: ${(error as Error).message}; without the option they are copied`,
      { cause: error },
    );
  }
}
