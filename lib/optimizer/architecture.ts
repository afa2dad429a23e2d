import { inputCount } from '../../bindings/types';
import type { Architecture } from '../../bindings/types';

export { inputCount };
export type { Architecture };

/** The architecture of the paper's experiments, without attention: 8,349 meta-parameters. */
export const DEFAULT_ARCHITECTURE: Architecture = {
  levels: 3,
  parameterHidden: 10,
  tensorHidden: 20,
  globalHidden: 20,
  timescales: 4,
  gradientProducts: true,
  relativeLogMagnitude: true,
  relativeLearningRate: true,
  extremeRateIndicator: false,
  absoluteLearningRate: false,
  gradientShortcut: true,
  attention: false,
  scaleDecayPerTimescale: false,
  inputScaling: true,
  activations: 'transcendental',
  learningRateMean: 'problem',
  maxLogLearningRate: 33,
  gradientScale: 1,
};

/** Lowest η, as in the released code. */
export const MIN_LOG_LEARNING_RATE = -33;

/**
 * Replacer of JSON.stringify for what holds an architecture: these fields are written only where they are not those of
 * DEFAULT_ARCHITECTURE, so that files and hashes from before the fields existed keep their bytes.
 */
export function withoutDefaults(...fields: (keyof Architecture)[]): (key: string, value: unknown) => unknown {
  const omitted = new Map<string, unknown>(fields.map((field) => [field, DEFAULT_ARCHITECTURE[field]]));
  return (key, value) => (omitted.has(key) && omitted.get(key) === value ? undefined : value);
}

/** Of all fields that files may lack. */
export const withoutLaterDefaults = withoutDefaults('activations', 'inputScaling');

/** Whether the tensor RNN sees the mean of x beside the mean of h': only when x is more than the scaled gradients. */
export function tensorSeesInputs(a: Architecture): boolean {
  return inputCount(a) > a.timescales;
}

/** Number of inputs of the tensor RNN. */
export function tensorInputCount(a: Architecture): number {
  return a.parameterHidden + (tensorSeesInputs(a) ? inputCount(a) : 0);
}

/**
 * Names and shapes of all meta-parameters of an architecture, in the order of the flat vector that meta-training uses.
 * Matrices are [inputs, outputs]; gate columns are [reset | update].
 */
export function metaParameterShapes(a: Architecture): readonly (readonly [name: string, shape: readonly number[]])[] {
  const H = a.parameterHidden;
  const Ht = a.tensorHidden;
  const Hg = a.globalHidden;
  const rows = inputCount(a) + H;
  const list: [string, number[]][] = [['parameter.initialHidden', [H]]];
  if (a.levels > 1) list.push(['tensor.initialHidden', [Ht]]);
  if (a.levels > 2) list.push(['global.initialHidden', [Hg]]);
  list.push(['parameter.update.readout', [H]]);
  if (a.attention) list.push(['parameter.attention.readout', [H]]);
  list.push(['parameter.scaleDecay.readout', [H]], ['parameter.scaleDecay.bias', [1]]);
  if (a.timescales > 1) list.push(['parameter.inputDecay.readout', [H]], ['parameter.inputDecay.bias', [1]]);
  list.push(['parameter.learningRate.readout', [H]], ['parameter.learningRate.bias', [1]]);
  if (a.levels > 1) list.push(['tensorToParameter.matrix', [Ht, 3 * H]], ['tensorToParameter.bias', [3 * H]]);
  if (a.levels > 2) list.push(['globalToParameter.matrix', [Hg, 3 * H]], ['globalToParameter.bias', [3 * H]]);
  list.push(...cellShapes('parameter', rows, H));
  if (a.levels > 2) list.push(['globalToTensor.matrix', [Hg, 3 * Ht]], ['globalToTensor.bias', [3 * Ht]]);
  if (a.levels > 1) list.push(...cellShapes('tensor', tensorInputCount(a) + Ht, Ht));
  if (a.gradientShortcut) list.push(['parameter.update.shortcut', [a.timescales]]);
  if (a.gradientShortcut && a.attention) list.push(['parameter.attention.shortcut', [a.timescales]]);
  list.push(['parameter.learningRate.momentumLogit', [1]], ['parameter.stepSizeOffset', [1]]);
  if (a.levels > 2) list.push(...cellShapes('global', Ht + Hg, Hg));
  return list;
}

function cellShapes(level: string, rows: number, hidden: number): [string, number[]][] {
  return [
    [`${level}.cell.gates.matrix`, [rows, 2 * hidden]],
    [`${level}.cell.gates.bias`, [2 * hidden]],
    [`${level}.cell.candidate.matrix`, [rows, hidden]],
    [`${level}.cell.candidate.bias`, [hidden]],
  ];
}

function requireInteger(name: string, value: unknown, min: number, max: number): void {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    throw new RangeError(`architecture.${name}: expected an integer from ${min} to ${max}, got ${String(value)}`);
  }
}

/**
 * Checks an architecture that came from a file or a caller. `gradientScale`, `activations` and `inputScaling` may be
 * missing, which means 1, 'transcendental' and true.
 * @throws TypeError or RangeError naming the field, what was expected and what came.
 */
export function validateArchitecture(value: unknown): Architecture {
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`architecture: expected an object, got ${value === null ? 'null' : typeof value}`);
  }
  const a = { gradientScale: 1, activations: 'transcendental', inputScaling: true, ...value } as Architecture;
  requireInteger('levels', a.levels, 1, 3);
  requireInteger('parameterHidden', a.parameterHidden, 1, 32);
  requireInteger('tensorHidden', a.tensorHidden, a.levels > 1 ? 1 : 0, a.levels > 1 ? 256 : 0);
  requireInteger('globalHidden', a.globalHidden, a.levels > 2 ? 1 : 0, a.levels > 2 ? 256 : 0);
  requireInteger('timescales', a.timescales, 1, 5);
  for (const key of Object.keys(DEFAULT_ARCHITECTURE) as (keyof Architecture)[]) {
    if (typeof DEFAULT_ARCHITECTURE[key] === 'boolean' && typeof a[key] !== 'boolean') {
      throw new TypeError(`architecture.${key}: expected true or false, got ${String(a[key])}`);
    }
  }
  if (a.learningRateMean !== 'problem' && a.learningRateMean !== 'tensor') {
    throw new RangeError(
      `architecture.learningRateMean: expected 'problem' or 'tensor', got ${String(a.learningRateMean)}`,
    );
  }
  if (a.activations !== 'transcendental' && a.activations !== 'algebraic') {
    throw new RangeError(
      `architecture.activations: expected 'transcendental' or 'algebraic', got ${String(a.activations)}`,
    );
  }
  const max = a.maxLogLearningRate;
  if (typeof max !== 'number' || !(max >= MIN_LOG_LEARNING_RATE && max <= 33)) {
    throw new RangeError(`architecture.maxLogLearningRate: expected a number from -33 to 33, got ${String(max)}`);
  }
  const scale = a.gradientScale;
  if (typeof scale !== 'number' || !(scale >= 1e-9 && scale <= 1e9)) {
    throw new RangeError(`architecture.gradientScale: expected a number from 1e-9 to 1e9, got ${String(scale)}`);
  }
  const known = Object.keys(DEFAULT_ARCHITECTURE) as (keyof Architecture)[];
  const unknown = Object.keys(a).filter((key) => !known.includes(key as keyof Architecture));
  if (unknown.length > 0) throw new RangeError(`architecture.${unknown[0]}: unknown field; known: ${known.join(', ')}`);
  return Object.fromEntries(known.map((key) => [key, a[key]])) as unknown as Architecture;
}
