import type * as tf from '@tensorflow/tfjs-core';

/** An attribute of an op as tfjs-node takes it. */
export interface OpAttribute {
  readonly name: string;
  /** A constant `TF_ATTR_…` of the binding. */
  readonly type: number;
  readonly value: number;
}

/** What we need of the backend of tfjs-node, which is public there. */
export interface NodeBackend {
  readonly binding: { readonly TF_ATTR_TYPE: number; readonly TF_ATTR_INT: number; readonly TF_FLOAT: number };
  readonly isUsingGpuDevice: boolean;
  executeSingleOutput(name: string, attributes: readonly OpAttribute[], inputs: readonly tf.Tensor[]): tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: readonly OpAttribute[],
    inputs: readonly tf.Tensor[],
    outputs: number,
  ): tf.Tensor[];
}

/** Null for another backend than that of tfjs-node. */
export function asNodeBackend(backend: tf.KernelBackend): NodeBackend | null {
  const candidate = backend as unknown as Partial<NodeBackend>;
  return typeof candidate.executeMultipleOutputs === 'function' && typeof candidate.binding?.TF_ATTR_TYPE === 'number'
    ? (candidate as NodeBackend)
    : null;
}
