import type { OptimizerOptions } from '../optimizer/options';
import { DEFAULT_PRESET } from '../optimizer/presets';

/** Name of the weights that these options choose: the preset's, or the one that own weights carry. */
export function weightsName({ preset, weights }: OptimizerOptions): string {
  return weights?.metadata.name ?? preset ?? DEFAULT_PRESET;
}
