import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  createOptimizer,
  createWeights,
  DEFAULT_ARCHITECTURE,
  encodeWeights,
  initialWeights,
  loadWeights,
  metaParameterShapes,
  presets,
  SafetensorsError,
  saveWeights,
} from '../../lib/index';
import type { Architecture, Weights } from '../../lib/index';
import { fingerprint } from '../../lib/optimizer/state';
import { packageRoot } from '../../lib/packageRoot';
import { decodeSafetensors, encodeSafetensors } from '../../lib/safetensors';
import type { SafetensorsTensor } from '../../lib/safetensors';
import { ARCHITECTURES, hex } from './runs';
import { temporaryFolder } from './temporaryFolder';

const folder = temporaryFolder();
const presetPath = join(packageRoot, 'weights', 'prototype.safetensors');

function expectSame(a: Weights, b: Weights): void {
  expect(a.architecture).toEqual(b.architecture);
  expect(a.metadata).toEqual(b.metadata);
  expect([...a.tensors.keys()]).toEqual([...b.tensors.keys()]);
  for (const [name, data] of a.tensors) {
    expect(data.constructor).toBe(b.tensors.get(name)!.constructor);
    expect(hex(data), name).toBe(hex(b.tensors.get(name)!));
  }
}

/** The bytes of valid weights after a change of their tensors and metadata. */
function altered(
  change: (tensors: Map<string, SafetensorsTensor>, metadata: Record<string, string>) => void,
): Uint8Array {
  const file = decodeSafetensors(readFileSync(presetPath));
  const [tensors, metadata] = [new Map(file.tensors), { ...file.metadata }];
  change(tensors, metadata);
  return encodeSafetensors({ tensors, metadata });
}

const alteredArchitecture = (change: object): Uint8Array =>
  altered((_, metadata) => {
    metadata['architecture'] = JSON.stringify({ ...JSON.parse(metadata['architecture']), ...change });
  });

describe('loadWeights', () => {
  it('gives the same weights for a preset, its path and its bytes', () => {
    const preset = loadWeights('prototype');
    expect(preset.architecture).toEqual(DEFAULT_ARCHITECTURE);
    expect(preset.metadata.name).toBe('prototype');
    expectSame(loadWeights(presetPath), preset);
    expectSame(loadWeights(readFileSync(presetPath)), preset);
    expectSame(loadWeights(new Uint8Array(readFileSync(presetPath))), preset);
  });

  it('lists the presets when there is none of the name', () => {
    for (const name of ['adam', '', 'Prototype', '../weights/prototype']) {
      expect(() => loadWeights(name)).toThrow(RangeError);
      expect(() => loadWeights(name)).toThrow(
        `preset: expected one of hrnn-3, prototype, rmsprop-like, or the path of a .safetensors file, got '${name}'`,
      );
    }
  });

  it('names the path when there is no such file', () => {
    expect(() => loadWeights('/nowhere/mine.safetensors')).toThrow(/\/nowhere\/mine\.safetensors/);
  });

  it.each([[5], [null], [undefined], [{}]])('takes a name, a path or bytes, not %s', (source) => {
    expect(() => loadWeights(source as unknown as string)).toThrow(TypeError);
    expect(() => loadWeights(source as unknown as string)).toThrow(/^source: expected a preset name, a path or bytes/);
  });

  it('refuses bytes that are no safetensors file', () => {
    expect(() => loadWeights(new Uint8Array(4))).toThrow(SafetensorsError);
    const path = join(folder, 'text.safetensors');
    writeFileSync(path, 'not a safetensors file');
    expect(() => loadWeights(path)).toThrow(SafetensorsError);
  });

  it('refuses a saved state and says what it may be', () => {
    const state = createOptimizer([new Float32Array(3)]).saveState();
    expect(() => loadWeights(state)).toThrow(
      "weights: expected a file with metadata format 'learned-optimizer-weights', got 'learned-optimizer-state'; is it a state saved by saveState?",
    );
    expect(() => loadWeights(encodeSafetensors({ tensors: [] }))).toThrow(/got none;/);
  });

  const bias = 'parameter.update.readout';
  const vector = (data: SafetensorsTensor['data'], shape = [data.length]): SafetensorsTensor => ({ shape, data });

  it.each<[string, Uint8Array, RegExp]>([
    ['a tensor is missing', altered((t) => t.delete(bias)), /tensor 'parameter\.update\.readout' \[10\] is missing/],
    [
      'a tensor is too many',
      altered((t) => t.set('more', vector(Float32Array.of(1)))),
      /tensor 'more' does not belong to this architecture/,
    ],
    [
      'a tensor has another length',
      altered((t) => t.set(bias, vector(new Float32Array(9)))),
      /tensor 'parameter\.update\.readout': expected shape \[10\], got \[9\]/,
    ],
    [
      'a tensor has another shape of the same length',
      altered((t) => t.set(bias, vector(new Float32Array(10), [2, 5]))),
      /expected shape \[10\], got \[2, 5\]/,
    ],
    [
      'a tensor holds integers',
      altered((t) => t.set(bias, vector(new BigInt64Array(10)))),
      /'parameter\.update\.readout': expected F32 or F64, got I64/,
    ],
    [
      'a tensor holds NaN',
      altered((t) => t.set(bias, vector(new Float32Array(10).fill(NaN, 3, 4)))),
      /'parameter\.update\.readout'\[3\]: expected a number from -1e6 to 1e6, got NaN/,
    ],
    [
      'a tensor holds infinity',
      altered((t) => t.set(bias, vector(new Float32Array(10).fill(-Infinity)))),
      /\[0\]: expected a number from -1e6 to 1e6, got -Infinity/,
    ],
    [
      'the format is of another version',
      altered((_, m) => (m['formatVersion'] = '2')),
      /expected format version 1, got 2; a newer release/,
    ],
    ['there is no architecture', altered((_, m) => delete m['architecture']), /metadata architecture: expected JSON/],
    [
      'the architecture is no object',
      altered((_, m) => (m['architecture'] = 'null')),
      /^architecture: expected an object/,
    ],
    [
      'the architecture has an unknown field',
      alteredArchitecture({ heads: 8 }),
      /^architecture\.heads: unknown field; known: levels, /,
    ],
    [
      'a field is missing',
      alteredArchitecture({ attention: undefined }),
      /^architecture\.attention: expected true or false/,
    ],
    [
      'a size is absurd',
      alteredArchitecture({ tensorHidden: 1e9 }),
      /^architecture\.tensorHidden: expected an integer/,
    ],
    ['sizes do not fit the tensors', alteredArchitecture({ parameterHidden: 11 }), /expected shape \[11\], got \[10\]/],
    [
      'the learning rate is no number',
      altered((_, m) => (m['initialLearningRate'] = 'fast')),
      /initialLearningRate: expected a number from 1e-14 to 1e14, got NaN/,
    ],
  ])('refuses a file in which %s', (_, bytes, message) => {
    expect(() => loadWeights(bytes)).toThrow(message);
  });
});

describe('saveWeights and encodeWeights', () => {
  it.each(ARCHITECTURES)('keep every bit: %s', (name, weights) => {
    const path = join(folder, 'new', `${name}.safetensors`);
    saveWeights(path, weights);
    expectSame(loadWeights(path), weights);
    expect(hex(readFileSync(path))).toBe(hex(encodeWeights(weights)));
  });

  it('keep single precision single, and the words of the metadata', () => {
    const { architecture, tensors, metadata } = loadWeights('rmsprop-like');
    const mine = createWeights(architecture, tensors, { ...metadata, name: 'mine', description: '„λ“ "x"\n' });
    expectSame(loadWeights(encodeWeights(mine)), mine);
  });

  it('keep the bytes and the hash of weights from before a field of the architecture', () => {
    for (const { name } of presets()) {
      const bytes = readFileSync(join(packageRoot, 'weights', `${name}.safetensors`));
      expect(hex(encodeWeights(loadWeights(bytes))), name).toBe(hex(bytes));
    }
    expect(fingerprint(loadWeights('hrnn-3'))).toBe('2aab930ced1471339a266d147f5f5af0');
  });

  it('say whether inputs are scaled only where they are not, and files without the field have them scaled', () => {
    const fileOf = (inputScaling: boolean): Uint8Array =>
      encodeWeights(initialWeights({ ...DEFAULT_ARCHITECTURE, inputScaling }, 5));
    const written = (bytes: Uint8Array): object =>
      JSON.parse(decodeSafetensors(bytes).metadata['architecture']) as object;
    expect(written(fileOf(true))).not.toHaveProperty('inputScaling');
    expect(written(fileOf(false))).toHaveProperty('inputScaling', false);
    expect(loadWeights(fileOf(true)).architecture.inputScaling).toBe(true);
    expect(loadWeights(fileOf(false)).architecture.inputScaling).toBe(false);
    expect(fingerprint(loadWeights(fileOf(false)))).not.toBe(fingerprint(loadWeights(fileOf(true))));
  });
});

describe('createWeights', () => {
  const { tensors, metadata } = initialWeights(DEFAULT_ARCHITECTURE, 0);
  const create = (change: Partial<Record<keyof Architecture, unknown>>): (() => Weights) => {
    return () => createWeights({ ...DEFAULT_ARCHITECTURE, ...change } as Architecture, tensors, metadata);
  };

  it.each<[Partial<Record<keyof Architecture, unknown>>, ErrorConstructor, RegExp]>([
    [{ levels: 4 }, RangeError, /^architecture\.levels: expected an integer from 1 to 3, got 4$/],
    [{ levels: 1 }, RangeError, /^architecture\.tensorHidden: expected an integer from 0 to 0, got 20$/],
    [{ parameterHidden: 33 }, RangeError, /^architecture\.parameterHidden: expected an integer from 1 to 32, got 33$/],
    [{ timescales: 2.5 }, RangeError, /^architecture\.timescales: .* got 2\.5$/],
    [{ attention: 1 }, TypeError, /^architecture\.attention: expected true or false, got 1$/],
    [{ inputScaling: 'no' }, TypeError, /^architecture\.inputScaling: expected true or false, got no$/],
    [{ learningRateMean: 'global' }, RangeError, /^architecture\.learningRateMean: .* got global$/],
    [{ maxLogLearningRate: NaN }, RangeError, /^architecture\.maxLogLearningRate: .* got NaN$/],
    [{ gradientScale: 0 }, RangeError, /^architecture\.gradientScale: .* got 0$/],
  ])('refuses the architecture %j', (change, type, message) => {
    expect(create(change)).toThrow(type);
    expect(create(change)).toThrow(message);
  });

  it('takes an architecture without the fields that came later, which means their defaults', () => {
    const { gradientScale: _, activations: __, inputScaling: ___, ...older } = DEFAULT_ARCHITECTURE;
    expect(createWeights(older as Architecture, tensors, metadata).architecture).toEqual(DEFAULT_ARCHITECTURE);
  });

  it('refuses tensors that are no arrays of floats', () => {
    const wrong = new Map(tensors).set('parameter.stepSizeOffset', [1] as unknown as Float32Array);
    expect(() => createWeights(DEFAULT_ARCHITECTURE, wrong, metadata)).toThrow(
      "weights: tensor 'parameter.stepSizeOffset': expected Float32Array or Float64Array",
    );
  });
});

describe('initialWeights', () => {
  it('gives the same weights for the same seed and others for another', () => {
    expectSame(initialWeights(DEFAULT_ARCHITECTURE, 5), initialWeights(DEFAULT_ARCHITECTURE, 5));
    const name = 'parameter.cell.gates.matrix';
    const [a, b] = [5, 6].map((seed) => initialWeights(DEFAULT_ARCHITECTURE, seed).tensors.get(name)!);
    expect(hex(a)).not.toBe(hex(b));
  });

  it('draws 8,349 meta-parameters for the default architecture, in the shapes of metaParameterShapes', () => {
    const { tensors } = initialWeights(DEFAULT_ARCHITECTURE, 0);
    expect([...tensors.values()].reduce((sum, t) => sum + t.length, 0)).toBe(8349);
    expect([...tensors].map(([name, t]) => [name, t.length])).toEqual(
      metaParameterShapes(DEFAULT_ARCHITECTURE).map(([name, shape]) => [name, shape.reduce((a, b) => a * b, 1)]),
    );
  });

  it('draws the tensors that two architectures share alike', () => {
    const plain = initialWeights(DEFAULT_ARCHITECTURE, 5).tensors;
    for (const change of [
      { attention: true },
      { levels: 2, globalHidden: 0 } as const,
      { gradientShortcut: false },
      { learningRateMean: 'tensor' } as const,
      { inputScaling: false },
    ]) {
      for (const [name, data] of initialWeights({ ...DEFAULT_ARCHITECTURE, ...change }, 5).tensors) {
        if (plain.has(name)) expect(hex(data), `${JSON.stringify(change)} ${name}`).toBe(hex(plain.get(name)!));
      }
    }
  });

  it('starts the attention readout as a copy of the update readout', () => {
    const { tensors } = initialWeights({ ...DEFAULT_ARCHITECTURE, attention: true }, 5);
    expect(hex(tensors.get('parameter.attention.readout')!)).toBe(hex(tensors.get('parameter.update.readout')!));
  });
});
