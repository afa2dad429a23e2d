import { loadAddon } from './load';
import type { NativeInfo, NativeOptimizer, NativeOptimizerOptions } from './types';

export * from './types';
export * from './cuda';
export { borrowing, withBorrowed } from './borrowed';
export type { BorrowedGradient, Borrowing } from './borrowed';

interface Addon {
  readonly version: string;
  info(): NativeInfo;
  misalignment(array: ArrayBufferView): number;
  readonly NativeOptimizer: new (options: NativeOptimizerOptions) => NativeOptimizer;
}

/**
 * Creates the native side of an optimizer.
 * @throws TypeError or RangeError naming the argument, what was expected and what came; Error when the environment
 * variable `LEARNED_OPTIMIZER_ISA` names an instruction set that is not available.
 */
export function createNativeOptimizer(options: NativeOptimizerOptions): NativeOptimizer {
  const addon = loadAddon() as Addon;
  return new addon.NativeOptimizer(options);
}

/** What this build and this machine offer. */
export function nativeInfo(): NativeInfo {
  return (loadAddon() as Addon).info();
}

const ALIGNMENT = 64;

/**
 * A zeroed array whose first element lies on a 64-byte boundary, so that libraries which need this use it as it is. V8
 * aligns to 16 bytes only and does not tell addresses.
 */
export function alignedFloat32Array(length: number): Float32Array {
  const roomy = new Float32Array(length + ALIGNMENT / 4);
  const past = (loadAddon() as Addon).misalignment(roomy);
  const start = past === 0 ? 0 : (ALIGNMENT - past) / 4;
  return roomy.subarray(start, start + length);
}
