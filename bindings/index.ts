import { loadAddon } from './load';
import type { NativeInfo, NativeOptimizer, NativeOptimizerOptions } from './types';

export * from './types';

interface Addon {
  readonly version: string;
  info(): NativeInfo;
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
