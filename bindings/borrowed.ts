import { loadAddon } from './load';

/** How TensorFlow is made to lend tensors: an op of ours that tfjs-node runs like any other. */
export interface Borrowing {
  /** Name of the op: inputs `gradients: N * float`, attributes `N` and `owner`, no outputs. */
  readonly op: string;
  /** Value of the attribute `owner` for this thread. */
  readonly owner: number;
  /** Version of TensorFlow. */
  readonly version: string;
}

/**
 * Stands for the values of a borrowed tensor in `NativeStepRequest.gradients`. The step takes it in place of an array, so it
 * has an array's type; it is a number, the tensor's index, and there is nothing to read in it.
 */
export type BorrowedGradient = Float32Array & { readonly borrowed: unique symbol };

interface BorrowingAddon {
  borrowing(): Borrowing;
  beginBorrowing(): void;
  borrowedCount(): number;
  endBorrowing(): void;
}

/**
 * Registers the op with the TensorFlow library that this process has loaded, once per process.
 * @throws Error that says why it cannot be done
 */
export function borrowing(): Borrowing {
  return (loadAddon() as BorrowingAddon).borrowing();
}

/**
 * Runs the op by `lend`, then `use` while the tensors that it was run with are borrowed, and gives them back.
 * @throws Error when `lend` did not run the op with `count` tensors
 */
export function withBorrowed<R>(count: number, lend: () => void, use: (gradients: BorrowedGradient[]) => R): R {
  const addon = loadAddon() as BorrowingAddon;
  addon.beginBorrowing();
  try {
    lend();
    const borrowed = addon.borrowedCount();
    if (borrowed !== count) throw new Error(`TensorFlow lent ${borrowed} tensors in place of ${count}`);
    return use(Array.from({ length: count }, (_, i) => i as unknown as BorrowedGradient));
  } finally {
    addon.endBorrowing();
  }
}
