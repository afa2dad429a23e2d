import { nativeInfo } from '../../bindings/index';
import type { NativeInfo } from '../../bindings/index';
import { presets } from './presets';

/** What this installation and this machine offer. */
export interface Info extends NativeInfo {
  /** Names of the presets, the default first. */
  readonly presets: readonly string[];
}

/**
 * Version, instruction set in use and available, threads, CUDA and the reason when it is off, presets.
 * @throws Error when the native addon cannot be loaded: what was tried and how to mend it
 */
export function info(): Info {
  return { ...nativeInfo(), presets: presets().map((preset) => preset.name) };
}
