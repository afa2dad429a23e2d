import { readFileSync } from 'node:fs';
import { writeFileAtomic } from '../../atomicFile';
import { createRandom } from '../../random';
import { decodeSafetensors, encodeSafetensors } from '../../safetensors';
import { INPUTS } from './preprocessing';

/** Units of each of the two LSTM layers in the paper. */
export const L2L_UNITS = 20;

/** Factor of the optimizer's output: it starts with small steps. */
export const OUTPUT_SCALE = 0.01;

export interface L2lMetadata {
  readonly name: string;
  /** How the weights came about: configuration, iterations, losses. */
  readonly provenance: string;
}

/**
 * Meta-parameters of the coordinate-wise LSTM optimizer of Andrychowicz et al. 2016 (arXiv 1606.04474, section 2.1): two
 * LSTM layers and an affine read-out, shared by all coordinates.
 */
export interface L2lWeights {
  /** Units of each of the two layers. */
  readonly units: number;
  /** The tensors of {@link l2lShapes}, one after the other, each row-major. */
  readonly values: Float32Array;
  readonly metadata: L2lMetadata;
}

/** Name and shape of one tensor of meta-parameters. */
export type L2lShape = readonly [name: string, shape: readonly [rows: number, columns: number]];

/**
 * The tensors: a matrix per LSTM layer and the read-out. Rows of a layer's matrix: the input, forget and output gates and
 * the candidate, `units` of each. Columns: the layer's inputs, its hidden state, the bias. Columns of the read-out: hidden
 * state of the second layer, bias.
 * @throws {RangeError} if `units` is not a positive integer
 */
export function l2lShapes(units: number): readonly L2lShape[] {
  if (!Number.isSafeInteger(units) || units < 1) {
    throw new RangeError(`units: expected a positive integer, got ${units}`);
  }
  return [
    ['layer0', [4 * units, INPUTS + units + 1]],
    ['layer1', [4 * units, units + units + 1]],
    ['output', [1, units + 1]],
  ];
}

/** Number of meta-parameters. */
export function l2lSize(units: number): number {
  return l2lShapes(units).reduce((sum, [, [rows, columns]]) => sum + rows * columns, 0);
}

/**
 * Views of the tensors in a flat vector of meta-parameters, in the order of {@link l2lShapes}.
 * @throws {RangeError} if `values` is not as long as those tensors together
 */
export function l2lTensors<T extends Float32Array | Float64Array>(units: number, values: T): T[] {
  if (values.length !== l2lSize(units)) {
    throw new RangeError(`values: expected ${l2lSize(units)} for ${units} units, got ${values.length}`);
  }
  let offset = 0;
  return l2lShapes(units).map(([, [rows, columns]]) => {
    const view = values.subarray(offset, offset + rows * columns) as T;
    offset += view.length;
    return view;
  });
}

/**
 * Fresh meta-parameters: normal with standard deviation 1/√columns; biases 0, but 1 for the forget gates, so that a layer
 * remembers at first.
 */
export function initialL2lWeights(seed: number, units = L2L_UNITS): L2lWeights {
  const random = createRandom(seed);
  const values = new Float32Array(l2lSize(units));
  const tensors = l2lTensors(units, values);
  l2lShapes(units).forEach(([, [rows, columns]], t) => {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns - 1; column++) {
        tensors[t][row * columns + column] = random.normal() / Math.sqrt(columns - 1);
      }
      const forgets = rows > 1 && row >= units && row < 2 * units;
      tensors[t][row * columns + columns - 1] = forgets ? 1 : 0;
    }
  });
  return { units, values, metadata: { name: 'untrained', provenance: `initialL2lWeights, seed ${seed}` } };
}

const FORMAT = 'learned-optimizer-l2l';

/** Serialises weights as safetensors, with the metadata. */
export function encodeL2lWeights({ units, values, metadata }: L2lWeights): Uint8Array {
  const tensors = l2lTensors(units, values);
  return encodeSafetensors({
    tensors: l2lShapes(units).map(([name, shape], t) => [name, { shape, data: tensors[t] }]),
    metadata: { format: FORMAT, units: String(units), ...metadata },
  });
}

/**
 * Reads weights from the bytes of a safetensors file.
 * @throws {SafetensorsError} if the bytes are no safetensors file; {RangeError} naming the tensor or the metadata if they
 *   hold something else than weights of this optimizer
 */
export function decodeL2lWeights(bytes: Uint8Array): L2lWeights {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata['format'] !== FORMAT) {
    throw new RangeError(`l2l weights: expected metadata format '${FORMAT}', got '${metadata['format'] ?? 'none'}'`);
  }
  const units = Number(metadata['units']);
  const shapes = l2lShapes(units);
  const unknown = [...tensors.keys()].find((name) => !shapes.some(([known]) => known === name));
  if (unknown !== undefined) {
    throw new RangeError(
      `l2l weights: expected the tensors ${shapes.map(([name]) => name).join(', ')}, got '${unknown.slice(0, 50)}'`,
    );
  }
  const values = new Float32Array(l2lSize(units));
  const views = l2lTensors(units, values);
  shapes.forEach(([name, shape], t) => {
    const tensor = tensors.get(name);
    const got = tensor === undefined ? 'none' : `[${tensor.shape.join(', ')}]`;
    if (tensor === undefined || tensor.shape.join() !== shape.join()) {
      throw new RangeError(`l2l weights: tensor '${name}': expected shape [${shape.join(', ')}], got ${got}`);
    }
    if (!(tensor.data instanceof Float32Array) || !tensor.data.every(Number.isFinite)) {
      throw new RangeError(`l2l weights: tensor '${name}': expected finite values of type F32`);
    }
    views[t].set(tensor.data);
  });
  return {
    units,
    values,
    metadata: { name: metadata['name'] ?? 'unnamed', provenance: metadata['provenance'] ?? '' },
  };
}

/** Writes weights to a file, atomically. */
export function saveL2lWeights(path: string, weights: L2lWeights): void {
  writeFileAtomic(path, encodeL2lWeights(weights));
}

/** Reads weights from a file. Errors as of {@link decodeL2lWeights}, or the file system's. */
export function readL2lWeights(path: string): L2lWeights {
  return decodeL2lWeights(readFileSync(path));
}
