import * as tf from '@tensorflow/tfjs-core';
import { alignedFloat32Array } from '../../bindings/index';
import { backendOf } from './access';
import { asNodeBackend } from './nodeBackend';
import type { NodeBackend } from './nodeBackend';
import { asWasmBackend, heapView } from './wasmAccess';

/**
 * Elements from which `dataSync` of tfjs-node is avoided: it makes a new array each time, and large ones get fresh pages
 * from the system, which cost several times the copy itself. For smaller ones running the kernels costs as much.
 */
const LARGE = 65_536;

/** Reads the gradients of one variable, step by step. */
export class GradientReader {
  /** Null: not tried yet; undefined: does not work here. */
  private buffer: Float32Array | null | undefined = null;

  /**
   * The gradient's values, valid until the next allocation on the backend or the next call. They may be the tensor's own
   * memory: to be read only.
   */
  read(gradient: tf.Tensor): Float32Array {
    const backend = backendOf(gradient);
    const wasm = asWasmBackend(backend);
    if (wasm !== null) return heapView(wasm, gradient);
    const node = gradient.size >= LARGE && backend === tf.backend() ? asNodeBackend(backend) : null;
    if (node !== null) {
      if (this.buffer === null) this.buffer = writableBuffer(node, gradient.size);
      if (this.buffer !== undefined) {
        copyInto(node, this.buffer, gradient);
        return this.buffer;
      }
    }
    return gradient.dataSync() as Float32Array;
  }
}

/** An array that TensorFlow writes into; undefined where a look shows that it does not. */
function writableBuffer(backend: NodeBackend, size: number): Float32Array | undefined {
  const buffer = alignedFloat32Array(size).fill(1);
  try {
    tf.tidy(() => copyInto(backend, buffer, tf.zeros([size])));
  } catch {
    return undefined;
  }
  return buffer.every((value) => value === 0) ? buffer : undefined;
}

/**
 * Copies a tensor's values into an array that lies on a 64-byte boundary. TensorFlow uses such an array as a tensor's
 * memory, and its kernel `InplaceUpdate` writes rows into the memory of its first input.
 */
function copyInto(backend: NodeBackend, buffer: Float32Array, source: tf.Tensor): void {
  const { TF_ATTR_TYPE, TF_FLOAT } = backend.binding;
  tf.tidy(() => {
    const row = [1, buffer.length];
    const inputs = [tf.tensor(buffer, row, 'float32'), tf.tensor1d([0], 'int32'), tf.reshape(source, row)];
    backend.executeSingleOutput('InplaceUpdate', [{ name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT }], inputs);
  });
}
