import * as tf from '@tensorflow/tfjs-core';

/**
 * How the optimizer gets at the values of a variable: `open` gives the array that the step updates in place, `close`
 * makes the variable show what is in it.
 */
export abstract class VariableAccess {
  private known: object | undefined;

  constructor(protected readonly variable: tf.Variable) {}

  /** Allocates what the step needs. Called for every variable of a step before any `open`. */
  abstract prepare(): void;
  /** [size], valid until the next allocation on the backend. */
  abstract open(): Float32Array;
  /** After a successful step. */
  abstract close(): void;
  /** After a failed step: frees what `prepare` allocated; the variable keeps its values. */
  abstract abandon(): void;

  /** Whether someone else gave the variable new values since the last `acknowledge`. */
  get reassigned(): boolean {
    return this.known !== undefined && this.known !== this.variable.dataId;
  }

  /** The variable's present values are the optimizer's. */
  acknowledge(): void {
    this.known = this.variable.dataId;
  }
}

/** The backend that holds a tensor's data; it need not be the current one. */
export function backendOf(tensor: tf.Tensor): tf.KernelBackend {
  const { tensorInfo } = (
    tf.engine() as unknown as {
      readonly state: { readonly tensorInfo: WeakMap<object, { readonly backend: tf.KernelBackend }> };
    }
  ).state;
  return tensorInfo.get(tensor.dataId)?.backend ?? tf.backend();
}

/** Gives a variable the data of a fresh tensor and lets go of the tensor. */
export function assignAndDispose(variable: tf.Variable, fresh: tf.Tensor): void {
  variable.assign(fresh);
  fresh.dispose();
}

/** A new array per step: works on every backend. */
export class CopiedAccess extends VariableAccess {
  private values = new Float32Array(0);

  prepare(): void {
    this.values = Float32Array.from(this.variable.dataSync());
  }

  open(): Float32Array {
    return this.values;
  }

  close(): void {
    assignAndDispose(this.variable, tf.tensor(this.values, this.variable.shape, 'float32'));
    this.values = new Float32Array(0);
  }

  abandon(): void {
    this.values = new Float32Array(0);
  }
}
