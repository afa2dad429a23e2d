import * as tf from '@tensorflow/tfjs-core';
import { assignAndDispose, VariableAccess } from './access';

/** What we need of the wasm backend, which is public there. */
export interface WasmBackend {
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
  typedArrayFromHeap(info: tf.TensorInfo): Float32Array;
}

export function asWasmBackend(backend: tf.KernelBackend): WasmBackend | null {
  const candidate = backend as unknown as Partial<WasmBackend>;
  return typeof candidate.makeOutput === 'function' && typeof candidate.typedArrayFromHeap === 'function'
    ? (candidate as WasmBackend)
    : null;
}

/**
 * A tensor's values in the wasm heap. The view is dead (length 0) as soon as the heap grows.
 * @throws Error when it is dead on arrival
 */
export function heapView(backend: WasmBackend, info: tf.TensorInfo): Float32Array {
  const view = backend.typedArrayFromHeap(info);
  const size = tf.util.sizeFromShape(info.shape);
  if (view.length !== size) throw new Error(`wasm backend: expected ${size} values in the heap, got ${view.length}`);
  return view;
}

/**
 * A fresh output tensor per step, written through the heap: kernels of this backend cache what they derived from an
 * existing tensor's values, so writing into one would go unnoticed.
 */
export class WasmAccess extends VariableAccess {
  private output: tf.Tensor | null = null;

  constructor(
    variable: tf.Variable,
    private readonly backend: WasmBackend,
  ) {
    super(variable);
  }

  prepare(): void {
    const info = this.backend.makeOutput(this.variable.shape, 'float32');
    this.output = tf.engine().makeTensorFromTensorInfo(info, this.backend as unknown as tf.KernelBackend);
  }

  open(): Float32Array {
    const view = heapView(this.backend, this.output!);
    view.set(heapView(this.backend, this.variable));
    return view;
  }

  close(): void {
    assignAndDispose(this.variable, this.output!);
    this.output = null;
  }

  abandon(): void {
    this.output?.dispose();
    this.output = null;
  }
}
