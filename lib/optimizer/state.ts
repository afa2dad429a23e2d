import { createHash } from 'node:crypto';
import type { FloatArray, StateBits } from '../../bindings/types';
import { decodeSafetensors, encodeSafetensors } from '../safetensors';
import type { SafetensorsTensor } from '../safetensors';
import type { TensorSnapshot } from './engine';
import { withoutLaterDefaults } from './architecture';
import type { Weights } from './weights';

const FORMAT = 'learned-optimizer-state';
const FORMAT_VERSION = '1';

/** Everything an optimizer carries from step to step, parameters excepted. */
export interface OptimizerState {
  readonly iterations: number;
  readonly globalHidden: FloatArray;
  /** In the order of the optimizer's parameters. */
  readonly tensors: readonly { readonly name: string; readonly snapshot: TensorSnapshot }[];
}

/** Hash of architecture and meta-parameters: a state makes sense only with the weights that made it. */
export function fingerprint(weights: Weights): string {
  const hash = createHash('sha256').update(JSON.stringify(weights.architecture, withoutLaterDefaults));
  for (const [name, data] of weights.tensors) hash.update(name).update(Float64Array.from(data));
  return hash.digest('hex').slice(0, 32);
}

/**
 * Serialises a state as safetensors in canonical form, independent of instruction set and thread count. The values are F32
 * with 16-bit state too, which takes them back without a change; the metadata say what they were kept in.
 */
export function encodeState(state: OptimizerState, weights: Weights, stateBits: StateBits): Uint8Array {
  const { parameterHidden: H, timescales: S } = weights.architecture;
  const tensors: [string, SafetensorsTensor][] = [];
  const add = (name: string, shape: number[], data: FloatArray): void => {
    tensors.push([name, { shape, data }]);
  };
  add('global.hidden', [state.globalHidden.length], state.globalHidden);
  state.tensors.forEach(({ snapshot: { cell, tensorHidden } }, i) => {
    const n = cell.logLearningRate.length;
    add(`${i}.hidden`, [n, H], cell.hidden);
    add(`${i}.momentum`, [n, S], cell.momentum);
    add(`${i}.scale`, [n, S], cell.scale);
    add(`${i}.logLearningRate`, [n], cell.logLearningRate);
    if (cell.position !== undefined) add(`${i}.position`, [n], cell.position);
    add(`${i}.tensorHidden`, [tensorHidden.length], tensorHidden);
  });
  return encodeSafetensors({
    tensors,
    metadata: {
      format: FORMAT,
      formatVersion: FORMAT_VERSION,
      iterations: String(state.iterations),
      stateBits: String(stateBits),
      weights: fingerprint(weights),
      weightsName: weights.metadata.name,
      names: JSON.stringify(state.tensors.map((t) => t.name)),
    },
  });
}

function fail(what: string): never {
  throw new RangeError(`state: ${what}`);
}

function readNames(text: string | undefined): string[] {
  try {
    const names: unknown = JSON.parse(text ?? '');
    if (Array.isArray(names) && names.every((n) => typeof n === 'string')) return names as string[];
  } catch {
    // Falls through to the error below.
  }
  return fail('metadata names: expected a JSON list of strings');
}

/**
 * Reads a state for an optimizer with the given weights and parameters.
 * @throws SafetensorsError when the bytes are no safetensors file; RangeError when they hold no state, or one of other
 * weights, another precision or other parameters
 */
export function decodeState(
  bytes: Uint8Array,
  weights: Weights,
  expected: { readonly lengths: readonly number[]; readonly names: readonly string[]; readonly float64: boolean },
): OptimizerState {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata['format'] !== FORMAT)
    fail(`expected a file with metadata format '${FORMAT}', got '${metadata['format']}'`);
  if (metadata['formatVersion'] !== FORMAT_VERSION) {
    fail(`expected format version ${FORMAT_VERSION}, got ${metadata['formatVersion']}`);
  }
  if (metadata['weights'] !== fingerprint(weights)) {
    fail(
      `it was saved with other weights ('${metadata['weightsName']}', this optimizer has '${weights.metadata.name}'); ` +
        'create the optimizer with the preset or weights of the saved run',
    );
  }
  const iterations = Number(metadata['iterations']);
  if (!/^\d+$/.test(metadata['iterations'] ?? '') || !Number.isSafeInteger(iterations)) {
    fail(`metadata iterations: expected a step count, got '${metadata['iterations']}'`);
  }
  const names = readNames(metadata['names']);
  if (names.length !== expected.lengths.length) {
    fail(`expected ${expected.lengths.length} parameters, got ${names.length}`);
  }
  names.forEach((name, i) => {
    if (name !== expected.names[i]) fail(`parameter ${i}: expected '${expected.names[i]}', got '${name}'`);
  });

  const a = weights.architecture;
  const used = new Set<string>();
  const take = (name: string, shape: readonly number[]): FloatArray => {
    const tensor = tensors.get(name);
    if (tensor === undefined) return fail(`tensor '${name}' is missing`);
    if (tensor.shape.join() !== shape.join()) {
      fail(`tensor '${name}': expected shape [${shape.join(', ')}], got [${tensor.shape.join(', ')}]`);
    }
    const float64 = tensor.data instanceof Float64Array;
    if (tensor.data instanceof BigInt64Array || float64 !== expected.float64) {
      fail(`tensor '${name}': expected ${expected.float64 ? 'F64' : 'F32'}`);
    }
    used.add(name);
    return tensor.data as FloatArray;
  };
  const state: OptimizerState = {
    iterations,
    globalHidden: take('global.hidden', [a.levels > 2 ? a.globalHidden : 0]),
    tensors: names.map((name, i) => {
      const n = expected.lengths[i];
      const position = tensors.has(`${i}.position`) ? take(`${i}.position`, [n]) : undefined;
      const cell = {
        hidden: take(`${i}.hidden`, [n, a.parameterHidden]),
        momentum: take(`${i}.momentum`, [n, a.timescales]),
        scale: take(`${i}.scale`, [n, a.timescales]),
        logLearningRate: take(`${i}.logLearningRate`, [n]),
        ...(position === undefined ? {} : { position }),
      };
      const tensorHidden = take(`${i}.tensorHidden`, [a.levels > 1 ? a.tensorHidden : 0]);
      return { name, snapshot: { cell, tensorHidden } };
    }),
  };
  const extra = [...tensors.keys()].find((name) => !used.has(name));
  if (extra !== undefined) fail(`tensor '${extra}' does not belong to a state of this optimizer`);
  return state;
}
