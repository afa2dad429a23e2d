import * as tf from '@tensorflow/tfjs-core';
import { alignedFloat32Array } from '../../bindings/index';
import { assignAndDispose, backendOf, CopiedAccess, VariableAccess } from './access';

/**
 * The variable holds the data of an array of ours, which the step updates in place (cpu backend, tfjs-node). The array is
 * ours alone: data that came from elsewhere, from a user's array or shared with a clone, are copied first, so that
 * nobody's values change behind their back.
 *
 * That a tensor shows what is written into the array it was made from is no promise of TensorFlow.js, so it is checked
 * at every adoption; where it does not hold, every step makes a new tensor.
 */
export class AdoptedAccess extends VariableAccess {
  private array: Float32Array | null = null;
  private adopted: object | undefined;
  private fallback: CopiedAccess | null = null;

  prepare(): void {
    if (this.fallback !== null) return this.fallback.prepare();
    const { variable } = this;
    const ours = this.adopted === variable.dataId && backendOf(variable).refCount(variable.dataId) === 1;
    if (ours) return;
    this.adopt();
  }

  private adopt(): void {
    const { variable } = this;
    const array = alignedFloat32Array(variable.size);
    array.set(variable.dataSync());
    assignAndDispose(variable, tf.tensor(array, variable.shape, 'float32'));
    if (this.showsWrites(array)) {
      this.array = array;
      this.adopted = variable.dataId;
    } else {
      this.array = null;
      this.fallback = new CopiedAccess(variable);
      this.fallback.prepare();
    }
  }

  /** Writes another first element, looks at the tensor through a kernel, and puts the element back. */
  private showsWrites(array: Float32Array): boolean {
    const first = (): number => tf.tidy(() => tf.slice(tf.reshape(this.variable, [-1]), [0], [1]).dataSync()[0]);
    // The first look makes a backend that creates its tensor late (tfjs-node) create it now.
    const before = array[0];
    first();
    const probe = before === 1 ? 2 : 1;
    array[0] = probe;
    const seen = first();
    array[0] = before;
    return seen === probe && Object.is(first(), before);
  }

  open(): Float32Array {
    return this.fallback?.open() ?? this.array!;
  }

  close(): void {
    this.fallback?.close();
  }

  abandon(): void {
    this.fallback?.abandon();
  }
}
