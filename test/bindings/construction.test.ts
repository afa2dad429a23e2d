import { describe, expect, it } from 'vitest';
import { createNativeOptimizer, inputCount } from '../../bindings/index';
import type { Architecture, LevelWeights, NativeOptimizerOptions, ParameterCellWeights } from '../../bindings/index';
import { architecture, detached, levelsFor, makeFixture, optionsFor, weightsFor } from './setup';

/** Creates from options that the types forbid. */
const create = (options: unknown) => createNativeOptimizer(options as NativeOptimizerOptions);

function failure(options: unknown): Error {
  try {
    create(options);
  } catch (error) {
    return error as Error;
  }
  throw new Error('no error was thrown');
}

const BOOLEANS = [
  'gradientProducts',
  'relativeLogMagnitude',
  'relativeLearningRate',
  'extremeRateIndicator',
  'absoluteLearningRate',
  'attention',
  'scaleDecayPerTimescale',
  'inputScaling',
] as const;

type Row = [key: string, value: unknown, kind: ErrorConstructor, message: RegExp];

/** Rows titled by their message: a detached array cannot be printed. */
const titled = (rows: readonly Row[]) => rows.map((row): [string, ...Row] => [row[3].source, ...row]);

const architectureRows: Row[] = [
  ...(['parameterHidden', 'timescales'] as const).flatMap((key): Row[] => {
    const max = key === 'timescales' ? 5 : 32;
    const range = `^architecture.${key}: expected an integer from 1 to ${max}, got `;
    return [
      [key, undefined, TypeError, new RegExp(`^architecture.${key}: expected an integer, got undefined$`)],
      [key, '3', TypeError, new RegExp(`^architecture.${key}: expected an integer, got a string$`)],
      [key, 0, RangeError, new RegExp(`${range}0$`)],
      [key, max + 1, RangeError, new RegExp(`${range}${max + 1}$`)],
      [key, 1.5, RangeError, new RegExp(`${range}1.5$`)],
      [key, NaN, RangeError, new RegExp(`${range}NaN$`)],
    ];
  }),
  ...BOOLEANS.flatMap((key): Row[] => [
    [key, undefined, TypeError, new RegExp(`^architecture.${key}: expected true or false, got undefined$`)],
    [key, 1, TypeError, new RegExp(`^architecture.${key}: expected true or false, got 1$`)],
  ]),
  ['learningRateMean', 3, TypeError, /^architecture.learningRateMean: expected a string, got 3$/],
  [
    'learningRateMean',
    'layer',
    RangeError,
    /^architecture.learningRateMean: expected 'problem' or 'tensor', got 'layer'$/,
  ],
  ['maxLogLearningRate', null, TypeError, /^architecture.maxLogLearningRate: expected a number, got null$/],
  ...[NaN, 33.1, -33.1, Infinity].map((value): Row => [
    'maxLogLearningRate',
    value,
    RangeError,
    /^architecture.maxLogLearningRate: expected a number from -33 to 33, got (NaN|33.1|-33.1|Infinity)$/,
  ]),
  ['gradientScale', '8', TypeError, /^architecture.gradientScale: expected a number, got a string$/],
  ...[NaN, 0, -1, 1e10].map((value): Row => [
    'gradientScale',
    value,
    RangeError,
    /^architecture.gradientScale: expected a number from .*, got /,
  ]),
];

const arrayLengths: [keyof ParameterCellWeights, number][] = (() => {
  const [h, s, rows] = [architecture.parameterHidden, architecture.timescales, inputCount(architecture) + 3];
  return [
    ['gateMatrix', rows * 2 * h],
    ['candidateMatrix', rows * h],
    ['initialHidden', h],
    ['updateReadout', h],
    ['updateShortcut', s],
    ['attentionReadout', h],
    ['attentionShortcut', s],
    ['scaleDecayReadout', h],
    ['inputDecayReadout', h],
    ['learningRateReadout', h],
  ];
})();

/** What is refused as the array `key` of an argument. */
function arrayRows(argument: 'weights' | 'levels', key: string, length: number): Row[] {
  const expected = `^${argument}.${key}: expected Float64Array of length ${length}, got `;
  const last = (value: number): Float64Array => new Float64Array(length).fill(value, length - 1);
  return [
    [key, undefined, TypeError, new RegExp(`${expected}undefined$`)],
    [key, Array.from(new Float64Array(length)), TypeError, new RegExp(`${expected}an array of length ${length}$`)],
    [key, new Float32Array(length), TypeError, new RegExp(`${expected}Float32Array of length ${length}$`)],
    [key, new Float64Array(length + 1), RangeError, new RegExp(`${expected}Float64Array of length ${length + 1}$`)],
    [key, new Float64Array(0), RangeError, new RegExp(`${expected}Float64Array of length 0$`)],
    [key, detached(new Float64Array(length)), TypeError, new RegExp(`${expected}.*detached`)],
    [
      key,
      last(NaN),
      RangeError,
      new RegExp(`^${argument}.${key}\\[${length - 1}\\]: expected a number from -1e6 to 1e6, got NaN$`),
    ],
    [key, last(-1e7), RangeError, new RegExp(`^${argument}.${key}\\[${length - 1}\\]: .* got -10000000$`)],
  ];
}

const weightRows: Row[] = [
  ...arrayLengths.flatMap(([key, length]) => arrayRows('weights', key, length)),
  ...(
    [
      ['scaleDecayBias', '-1000000 to 1000000', 1.5e6],
      ['inputDecayBias', '-1000000 to 1000000', -1.5e6],
      ['learningRateBias', '-1000000 to 1000000', Infinity],
      ['learningRateMomentum', '0 to 1', 1.5],
      ['stepSizeOffset', '-50 to 50', 51],
    ] as const
  ).flatMap(([key, range, outside]): Row[] => [
    [key, undefined, TypeError, new RegExp(`^weights.${key}: expected a number, got undefined$`)],
    [
      key,
      new Float64Array(1),
      TypeError,
      new RegExp(`^weights.${key}: expected a number, got Float64Array of length 1$`),
    ],
    [key, NaN, RangeError, new RegExp(`^weights.${key}: expected a number from ${range}, got NaN$`)],
    [key, outside, RangeError, new RegExp(`^weights.${key}: expected a number from ${range}, got `)],
  ]),
];

const levelRows = (Object.entries(levelsFor(architecture)) as [keyof LevelWeights, Float64Array][]).flatMap(
  ([key, { length }]) => arrayRows('levels', key, length),
);

/** Fields of the architecture that say which levels there are. */
const levelSizeRows: Row[] = (['levels', 'tensorHidden', 'globalHidden'] as const).flatMap((key): Row[] => {
  const largest = key === 'levels' ? 3 : 256;
  const range = `^architecture.${key}: expected an integer from 1 to ${largest}, got `;
  return [
    [key, undefined, TypeError, new RegExp(`^architecture.${key}: expected an integer, got undefined$`)],
    [key, 0, RangeError, new RegExp(`${range}0$`)],
    [key, largest + 1, RangeError, new RegExp(`${range}${largest + 1}$`)],
  ];
});

describe('creating a native optimizer', () => {
  it.each(titled([...architectureRows, ...levelSizeRows]))('refuses %s', (_, key, value, kind, message) => {
    const error = failure({ ...optionsFor(), architecture: { ...architecture, [key]: value } });
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });

  it.each(titled(weightRows))('refuses %s', (_, key, value, kind, message) => {
    const error = failure({ ...optionsFor(), weights: { ...weightsFor(architecture), [key]: value } });
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });

  it.each(titled(levelRows))('refuses %s', (_, key, value, kind, message) => {
    const error = failure({ ...optionsFor(), levels: { ...levelsFor(architecture), [key]: value } });
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });

  it.each<[string, unknown, ErrorConstructor, RegExp]>([
    ['no options', undefined, TypeError, /^options: expected an object, got undefined$/],
    ['options null', null, TypeError, /^options: expected an object, got null$/],
    [
      'no architecture',
      { ...optionsFor(), architecture: undefined },
      TypeError,
      /^architecture: expected an object, got undefined$/,
    ],
    ['no weights', { ...optionsFor(), weights: 'preset' }, TypeError, /^weights: expected an object, got a string$/],
    ['no levels', { ...optionsFor(), levels: undefined }, TypeError, /^levels: expected an object, got undefined$/],
    ['precision 32', { ...optionsFor(), precision: 32 }, TypeError, /^precision: expected a string, got 32$/],
    [
      'precision float16',
      { ...optionsFor(), precision: 'float16' },
      RangeError,
      /^precision: expected 'float32' or 'float64', got 'float16'$/,
    ],
    ['stateBits 16n', { ...optionsFor(), stateBits: 16n }, TypeError, /^stateBits: expected 32 or 16, got a bigint$/],
    ['stateBits 8', { ...optionsFor(), stateBits: 8 }, RangeError, /^stateBits: expected 32 or 16, got 8$/],
    [
      'stateBits 16 in double',
      { ...optionsFor(architecture, 'float64'), stateBits: 16 },
      RangeError,
      /^stateBits: expected 32 with precision 'float64', got 16$/,
    ],
    [
      'threads missing',
      { ...optionsFor(), threads: undefined },
      TypeError,
      /^threads: expected an integer, got undefined$/,
    ],
    [
      'threads -1',
      { ...optionsFor(), threads: -1 },
      RangeError,
      /^threads: expected an integer from 0 to 256, got -1$/,
    ],
    [
      'threads 257',
      { ...optionsFor(), threads: 257 },
      RangeError,
      /^threads: expected an integer from 0 to 256, got 257$/,
    ],
    [
      'threads 1.5',
      { ...optionsFor(), threads: 1.5 },
      RangeError,
      /^threads: expected an integer from 0 to 256, got 1.5$/,
    ],
  ])('refuses %s', (_, options, kind, message) => {
    const error = failure(options);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });

  it('refuses weights of another architecture', () => {
    const wider: Architecture = { ...architecture, parameterHidden: 4 };
    expect(() => create({ ...optionsFor(), architecture: wider })).toThrow(
      /^weights.gateMatrix: expected Float64Array of length 96, got Float64Array of length 66$/,
    );
  });

  it('passes on whatever an accessor of the options throws', () => {
    for (const thrown of [new SyntaxError('mine'), 42, null, undefined, Symbol('s')]) {
      let caught: unknown = 'nothing';
      try {
        create({
          get architecture() {
            throw thrown;
          },
        });
      } catch (error) {
        caught = error;
      }
      expect(caught).toBe(thrown);
    }
  });

  it('copies the weights: later changes of the arrays do not matter', () => {
    const weights = weightsFor(architecture);
    const changed = makeFixture([20], { ...optionsFor(), weights });
    weights.gateMatrix.fill(0);
    const other = makeFixture([20]);
    changed.native.step(changed.request());
    other.native.step(other.request());
    expect(changed.snapshot()).toEqual(other.snapshot());
  });
});

describe('the class behind the optimizer', () => {
  const { native } = makeFixture([3]);
  const prototype = Object.getPrototypeOf(native) as Record<string, unknown> & {
    constructor: new (o: unknown) => unknown;
  };

  it('cannot be called without new', () => {
    expect(() => Reflect.apply(prototype.constructor, native, [optionsFor()])).toThrow(TypeError);
  });

  it.each([
    'addTensor',
    'removeTensor',
    'step',
    'stepAsync',
    'exportTensor',
    'importTensor',
    'resetPosition',
    'dispose',
  ])('%s refuses a receiver that is no optimizer', (name) => {
    const method = prototype[name] as () => unknown;
    for (const receiver of [{}, Object.create(native), new Proxy(native, {}), prototype, undefined, 3]) {
      expect(() => Reflect.apply(method, receiver, [])).toThrow(TypeError);
    }
  });

  it('bytes refuses a receiver that is no optimizer', () => {
    const getter = Object.getOwnPropertyDescriptor(prototype, 'bytes')!.get!;
    for (const receiver of [{}, Object.create(native), new Proxy(native, {}), prototype, undefined, 3]) {
      expect(() => Reflect.apply(getter, receiver, []) as unknown).toThrow(Error);
    }
  });
});
