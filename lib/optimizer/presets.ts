import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../packageRoot';
import { decodeWeights, readWeights } from './weights';
import type { Weights } from './weights';

/** The preset used when none is named. */
export const DEFAULT_PRESET = 'hrnn-3';

const folder = join(packageRoot, 'weights');
const cache = new Map<string, Weights>();

/** A set of weights that ships with the package. */
export interface PresetInfo {
  readonly name: string;
  readonly description: string;
  readonly provenance: string;
  /** The preset used when none is named. */
  readonly isDefault: boolean;
  readonly metaParameters: number;
}

function presetNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.safetensors'))
    .map((file) => file.slice(0, -'.safetensors'.length))
    .sort((a, b) => Number(b === DEFAULT_PRESET) - Number(a === DEFAULT_PRESET) || a.localeCompare(b));
}

function loadPreset(name: string): Weights {
  let weights = cache.get(name);
  if (weights === undefined) {
    weights = readWeights(join(folder, `${name}.safetensors`));
    cache.set(name, weights);
  }
  return weights;
}

/** The presets that ship with the package, the default first. */
export function presets(): PresetInfo[] {
  return presetNames().map((name) => {
    const { metadata, tensors } = loadPreset(name);
    return {
      name,
      description: metadata.description,
      provenance: metadata.provenance,
      isDefault: name === DEFAULT_PRESET,
      metaParameters: [...tensors.values()].reduce((sum, t) => sum + t.length, 0),
    };
  });
}

/**
 * Loads weights: a preset by name, a `.safetensors` file by path, or a file's bytes.
 * @throws RangeError when there is no such preset; SafetensorsError, RangeError or TypeError when the file is not valid.
 */
export function loadWeights(source: string | Uint8Array): Weights {
  if (source instanceof Uint8Array) return decodeWeights(source);
  if (typeof source !== 'string') {
    throw new TypeError(
      `source: expected a preset name, a path or bytes, got ${source === null ? 'null' : typeof source}`,
    );
  }
  if (source.endsWith('.safetensors')) return readWeights(source);
  const names = presetNames();
  if (!names.includes(source)) {
    throw new RangeError(
      `preset: expected one of ${names.join(', ')}, or the path of a .safetensors file, got '${source}'`,
    );
  }
  return loadPreset(source);
}
