import { nativeInfo } from '../../bindings/index';
import type { NativeInfo } from '../../bindings/index';
import { cudaInfo } from './cudaLibrary';
import type { CudaInfo } from './cudaLibrary';
import { presets } from './presets';

/** What this installation and this machine offer. */
export interface Info extends NativeInfo {
  /** CUDA: available, or exactly why not. Looked up when it is first read, since that wakes the driver and the devices. */
  readonly cuda: CudaInfo;
  /** Names of the presets, the default first. */
  readonly presets: readonly string[];
}

/**
 * Version, instruction set in use and available, threads, CUDA and the reason when it is off, presets.
 * @throws Error when the native addon cannot be loaded: what was tried and how to mend it
 */
export function info(): Info {
  let cuda: CudaInfo | undefined;
  return {
    ...nativeInfo(),
    get cuda(): CudaInfo {
      return (cuda ??= cudaInfo());
    },
    presets: presets().map((preset) => preset.name),
  };
}
