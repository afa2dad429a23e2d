import { readFileSync } from 'node:fs';
import type { LevelWeights, ParameterCellWeights } from '../../bindings/types';
import { writeFileAtomic } from '../atomicFile';
import { decodeSafetensors, encodeSafetensors } from '../safetensors';
import type { SafetensorsTensor } from '../safetensors';
import { metaParameterShapes, validateArchitecture, withoutLaterDefaults } from './architecture';
import type { Architecture } from './architecture';
import { checkSchedule } from './schedule';
import type { Schedule } from './schedule';

/** Identifies a weights file and its version. */
const FORMAT = 'learned-optimizer-weights';
const FORMAT_VERSION = '1';
const LARGEST = 1e6;

export interface WeightsMetadata extends Schedule {
  /** Short name, such as the preset's. */
  readonly name: string;
  /** One or two sentences for people. */
  readonly description: string;
  /** Where the weights come from: corpus, seeds, command, date. */
  readonly provenance: string;
  /** Initial learning rate that an optimizer starts with unless told otherwise. */
  readonly initialLearningRate: number;
}

/** A set of meta-parameters with the architecture they belong to. Immutable. */
export interface Weights {
  readonly architecture: Architecture;
  /** By the names of `metaParameterShapes(architecture)`, row-major. */
  readonly tensors: ReadonlyMap<string, Float32Array | Float64Array>;
  readonly metadata: WeightsMetadata;
}

/**
 * Checks meta-parameters against an architecture and puts them together.
 * @throws RangeError or TypeError naming the tensor, what was expected and what came.
 */
export function createWeights(
  architecture: Architecture,
  tensors: ReadonlyMap<string, Float32Array | Float64Array>,
  metadata: WeightsMetadata,
): Weights {
  const checked = validateArchitecture(architecture);
  const ordered = new Map<string, Float32Array | Float64Array>();
  const shapes = metaParameterShapes(checked);
  for (const [name, shape] of shapes) {
    const data = tensors.get(name);
    const length = shape.reduce((a, b) => a * b, 1);
    if (data === undefined) throw new RangeError(`weights: tensor '${name}' [${shape.join(', ')}] is missing`);
    if (!(data instanceof Float32Array || data instanceof Float64Array)) {
      throw new TypeError(`weights: tensor '${name}': expected Float32Array or Float64Array`);
    }
    if (data.length !== length) {
      throw new RangeError(
        `weights: tensor '${name}': expected ${length} elements [${shape.join(', ')}], got ${data.length}`,
      );
    }
    const bad = data.findIndex((v) => !(Math.abs(v) <= LARGEST));
    if (bad >= 0) {
      throw new RangeError(`weights: tensor '${name}'[${bad}]: expected a number from -1e6 to 1e6, got ${data[bad]}`);
    }
    ordered.set(name, data);
  }
  for (const name of tensors.keys()) {
    if (!ordered.has(name)) throw new RangeError(`weights: tensor '${name}' does not belong to this architecture`);
  }
  const rate = metadata.initialLearningRate;
  if (!(rate >= 1e-14 && rate <= 1e14)) {
    throw new RangeError(`weights: initialLearningRate: expected a number from 1e-14 to 1e14, got ${String(rate)}`);
  }
  checkSchedule(metadata);
  return { architecture: checked, tensors: ordered, metadata };
}

/** The tensor as doubles; zeros of the given length where the architecture has none. */
function doubles(weights: Weights, name: string, length: number): Float64Array {
  return Float64Array.from(weights.tensors.get(name) ?? new Float64Array(length));
}

function scalar(weights: Weights, name: string): number {
  return weights.tensors.get(name)?.[0] ?? 0;
}

/** The meta-parameters of the parameter level. */
export function parameterCellWeights(weights: Weights): ParameterCellWeights {
  const { parameterHidden: H, timescales: S } = weights.architecture;
  return {
    gateMatrix: doubles(weights, 'parameter.cell.gates.matrix', 0),
    candidateMatrix: doubles(weights, 'parameter.cell.candidate.matrix', 0),
    initialHidden: doubles(weights, 'parameter.initialHidden', H),
    updateReadout: doubles(weights, 'parameter.update.readout', H),
    updateShortcut: doubles(weights, 'parameter.update.shortcut', S),
    attentionReadout: doubles(weights, 'parameter.attention.readout', H),
    attentionShortcut: doubles(weights, 'parameter.attention.shortcut', S),
    scaleDecayReadout: doubles(weights, 'parameter.scaleDecay.readout', H),
    scaleDecayBias: scalar(weights, 'parameter.scaleDecay.bias'),
    inputDecayReadout: doubles(weights, 'parameter.inputDecay.readout', H),
    inputDecayBias: scalar(weights, 'parameter.inputDecay.bias'),
    learningRateReadout: doubles(weights, 'parameter.learningRate.readout', H),
    learningRateBias: scalar(weights, 'parameter.learningRate.bias'),
    learningRateMomentum: 1 / (1 + Math.exp(-scalar(weights, 'parameter.learningRate.momentumLogit'))),
    stepSizeOffset: scalar(weights, 'parameter.stepSizeOffset'),
  };
}

/** The meta-parameters of the levels above the parameters, with the parameter cell's bias. */
export function levelWeights(weights: Weights): LevelWeights {
  const { parameterHidden: H, levels } = weights.architecture;
  const affine = <K extends string>(key: K, name: string) =>
    ({
      [`${key}Matrix`]: doubles(weights, `${name}.matrix`, 0),
      [`${key}Bias`]: doubles(weights, `${name}.bias`, 0),
    }) as Record<`${K}Matrix` | `${K}Bias`, Float64Array>;
  const cellBias = new Float64Array(3 * H);
  cellBias.set(doubles(weights, 'parameter.cell.gates.bias', 0), 0);
  cellBias.set(doubles(weights, 'parameter.cell.candidate.bias', 0), 2 * H);
  return {
    cellBias,
    ...(levels > 1 && {
      ...affine('tensorToParameter', 'tensorToParameter'),
      ...affine('tensorGates', 'tensor.cell.gates'),
      ...affine('tensorCandidate', 'tensor.cell.candidate'),
      tensorInitialHidden: doubles(weights, 'tensor.initialHidden', 0),
    }),
    ...(levels > 2 && {
      ...affine('globalToParameter', 'globalToParameter'),
      ...affine('globalToTensor', 'globalToTensor'),
      ...affine('globalGates', 'global.cell.gates'),
      ...affine('globalCandidate', 'global.cell.candidate'),
      globalInitialHidden: doubles(weights, 'global.initialHidden', 0),
    }),
  };
}

const SCHEDULE_KEYS = ['initialLearningRateRange', 'warmup', 'annealing'] as const;

function encodeSchedule(schedule: Schedule): Record<string, string> {
  const given = SCHEDULE_KEYS.filter((key) => schedule[key] !== undefined);
  return Object.fromEntries(given.map((key) => [key, JSON.stringify(schedule[key])]));
}

function decodeSchedule(metadata: Readonly<Record<string, string>>): Schedule {
  const given = SCHEDULE_KEYS.filter((key) => metadata[key] !== undefined);
  return Object.fromEntries(given.map((key) => [key, parsed(key, metadata[key])]));
}

function parsed(key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RangeError(`weights: metadata ${key}: expected JSON, got '${text}'`);
  }
}

/** Serialises weights as safetensors; architecture, provenance and the rest are in the file's metadata. */
export function encodeWeights(weights: Weights): Uint8Array {
  const shapes = new Map(metaParameterShapes(weights.architecture));
  const tensors: [string, SafetensorsTensor][] = [...weights.tensors].map(([name, data]) => [
    name,
    { shape: shapes.get(name)!, data },
  ]);
  return encodeSafetensors({
    tensors,
    metadata: {
      format: FORMAT,
      formatVersion: FORMAT_VERSION,
      name: weights.metadata.name,
      description: weights.metadata.description,
      provenance: weights.metadata.provenance,
      initialLearningRate: String(weights.metadata.initialLearningRate),
      ...encodeSchedule(weights.metadata),
      architecture: JSON.stringify(weights.architecture, withoutLaterDefaults),
    },
  });
}

/**
 * Reads weights from the bytes of a safetensors file.
 * @throws SafetensorsError when the bytes are no safetensors file; RangeError or TypeError when they hold something else
 * than weights of this package.
 */
export function decodeWeights(bytes: Uint8Array): Weights {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata['format'] !== FORMAT) {
    throw new RangeError(
      `weights: expected a file with metadata format '${FORMAT}', got ${metadata['format'] === undefined ? 'none' : `'${metadata['format']}'`}; is it a state saved by saveState?`,
    );
  }
  if (metadata['formatVersion'] !== FORMAT_VERSION) {
    throw new RangeError(
      `weights: expected format version ${FORMAT_VERSION}, got ${metadata['formatVersion']}; a newer release of this package may read it`,
    );
  }
  let architecture: unknown;
  try {
    architecture = JSON.parse(metadata['architecture'] ?? '');
  } catch {
    throw new RangeError('weights: metadata architecture: expected JSON');
  }
  const data = new Map<string, Float32Array | Float64Array>();
  const shapes = new Map(metaParameterShapes(validateArchitecture(architecture)));
  for (const [name, tensor] of tensors) {
    if (tensor.data instanceof BigInt64Array)
      throw new TypeError(`weights: tensor '${name}': expected F32 or F64, got I64`);
    const shape = shapes.get(name);
    if (shape !== undefined && shape.join() !== tensor.shape.join()) {
      throw new RangeError(
        `weights: tensor '${name}': expected shape [${shape.join(', ')}], got [${tensor.shape.join(', ')}]`,
      );
    }
    data.set(name, tensor.data);
  }
  return createWeights(architecture as Architecture, data, {
    name: metadata['name'] ?? 'unnamed',
    description: metadata['description'] ?? '',
    provenance: metadata['provenance'] ?? '',
    initialLearningRate: Number(metadata['initialLearningRate']),
    ...decodeSchedule(metadata),
  });
}

/** Writes weights to a file, atomically. */
export function saveWeights(path: string, weights: Weights): void {
  writeFileAtomic(path, encodeWeights(weights));
}

/** Reads weights from a file. */
export function readWeights(path: string): Weights {
  return decodeWeights(readFileSync(path));
}
