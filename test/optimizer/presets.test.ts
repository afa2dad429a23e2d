import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createOptimizer, encodeWeights, initialWeights, loadWeights, presets, saveWeights } from '../../lib/index';
import { DEFAULT_ARCHITECTURE } from '../../lib/optimizer/architecture';
import { packageRoot } from '../../lib/packageRoot';
import { decodeSafetensors, encodeSafetensors } from '../../lib/safetensors';
import type { SafetensorsTensor } from '../../lib/safetensors';
import { prototype, rmspropLike } from '../../scripts/make-presets';

const folder = mkdtempSync(join(tmpdir(), 'weights-'));
afterAll(() => rmSync(folder, { recursive: true }));

const presetFile = (name: string): Buffer => readFileSync(join(packageRoot, 'weights', `${name}.safetensors`));

describe('presets', () => {
  it('name the default first, each with description and provenance', () => {
    const list = presets();
    expect(list.map(({ name }) => name).sort()).toEqual(['hrnn-3', 'prototype', 'rmsprop-like']);
    expect(list[0]).toMatchObject({ name: 'hrnn-3', isDefault: true, metaParameters: 7315 });
    for (const { description, provenance } of list) expect(description.length * provenance.length).toBeGreaterThan(0);
  });

  it.each([
    ['prototype', prototype],
    ['rmsprop-like', rmspropLike],
  ] as const)('%s is made byte for byte by scripts/make-presets.ts', (name, make) => {
    expect(Buffer.compare(encodeWeights(make()), presetFile(name))).toBe(0);
  });
});

describe('rmsprop-like', () => {
  it('steps along the mean of the scaled momenta, normalised over the tensor, with a constant rate', () => {
    const parameters = Float64Array.of(1, 2, 3);
    const rate = 0.01;
    const optimizer = createOptimizer([parameters], { preset: 'rmsprop-like', initialLearningRate: rate });
    const expected = Float64Array.from(parameters);
    const [beta, lambdaDecay] = [0.9, 0.96];
    const momentum = [0, 1, 2].map(() => [0, 0, 0, 0]);
    const scale = [0, 1, 2].map(() => [0, 0, 0, 0]);
    for (let step = 0; step < 25; step++) {
      const gradient = expected.map((v, i) => Math.sin(step + i) + 0.1 * v);
      const direction = Array.from(gradient, (g, i) => {
        let sum = 0;
        for (let s = 0; s < 4; s++) {
          const b = step === 0 ? 0 : beta ** (2 ** -s);
          const l = step === 0 ? 0 : lambdaDecay;
          momentum[i][s] = b * momentum[i][s] + (1 - b) * g;
          scale[i][s] = l * scale[i][s] + (1 - l) * (momentum[i][s] ** 2 + 1e-12);
          sum += Math.asinh(momentum[i][s] / Math.sqrt(scale[i][s] + 1e-16)) / 4;
        }
        return sum;
      });
      const rms = Math.sqrt(direction.reduce((a, d) => a + d * d, 0) / 3 + 1e-16);
      optimizer.step([gradient]);
      direction.forEach((d, i) => (expected[i] -= (rate * d) / rms));
      // The preset holds its decays in single precision.
      parameters.forEach((p, i) => expect(Math.abs(p - expected[i])).toBeLessThan(1e-7));
      expected.set(parameters);
    }
  });
});

describe('loadWeights', () => {
  it('reads a preset, a file and bytes alike, and saveWeights writes what it reads', () => {
    const weights = loadWeights('prototype');
    const path = join(folder, 'copy.safetensors');
    saveWeights(path, weights);
    expect(Buffer.compare(readFileSync(path), presetFile('prototype'))).toBe(0);
    for (const again of [loadWeights(path), loadWeights(readFileSync(path))]) {
      expect(again.architecture).toEqual(weights.architecture);
      expect(again.metadata).toEqual(weights.metadata);
      expect([...again.tensors]).toEqual([...weights.tensors]);
    }
  });

  it('says what it expected of a name, a type or a file', () => {
    expect(() => loadWeights('nobody')).toThrow(
      /preset: expected one of hrnn-3, prototype, rmsprop-like, or the path of/,
    );
    expect(() => loadWeights(7 as never)).toThrow(/source: expected a preset name, a path or bytes, got number/);
    expect(() => loadWeights(join(folder, 'missing.safetensors'))).toThrow(/missing.safetensors/);
    writeFileSync(join(folder, 'text.safetensors'), 'hello, I am no weights file');
    expect(() => loadWeights(join(folder, 'text.safetensors'))).toThrow(/safetensors/);
    const state = createOptimizer([new Float32Array(2)]).saveState();
    expect(() => loadWeights(state)).toThrow(/is it a state saved by saveState/);
  });

  it('refuses weights that are incomplete, misshapen, foreign or not finite, naming the tensor', () => {
    const { tensors, metadata } = decodeSafetensors(presetFile('prototype'));
    const changed = (edit: (copy: Map<string, SafetensorsTensor>) => void, data = metadata): (() => unknown) => {
      const copy = new Map<string, SafetensorsTensor>(
        [...tensors].map(([name, t]) => [name, { ...t, data: t.data.slice() as Float32Array }]),
      );
      edit(copy);
      return () => loadWeights(encodeSafetensors({ tensors: copy, metadata: data }));
    };
    const name = 'parameter.update.readout';
    expect(changed((t) => t.delete(name))).toThrow(`tensor '${name}' [10] is missing`);
    expect(changed((t) => t.set('x', { shape: [1], data: new Float32Array(1) }))).toThrow(/'x' does not belong/);
    expect(changed((t) => t.set(name, { shape: [5, 2], data: new Float32Array(10) }))).toThrow(
      /expected shape \[10\], got \[5, 2\]/,
    );
    expect(changed((t) => ((t.get(name)!.data as Float32Array)[3] = NaN))).toThrow(`'${name}'[3]: expected a number`);
    const architecture = JSON.stringify({ ...DEFAULT_ARCHITECTURE, sauce: 1 });
    expect(changed(() => {}, { ...metadata, architecture })).toThrow(/architecture.sauce: unknown field/);
    expect(changed(() => {}, { ...metadata, formatVersion: '9' })).toThrow(/expected format version 1, got 9/);
    expect(changed(() => {}, { ...metadata, initialLearningRate: 'fast' })).toThrow(/initialLearningRate/);
  });
});

describe('initialWeights', () => {
  it('are the same for the same seed, and streams of tensors do not depend on each other', () => {
    const a = initialWeights(DEFAULT_ARCHITECTURE, 5);
    expect([...initialWeights(DEFAULT_ARCHITECTURE, 5).tensors]).toEqual([...a.tensors]);
    expect([...initialWeights(DEFAULT_ARCHITECTURE, 6).tensors]).not.toEqual([...a.tensors]);
    expect(a.tensors.get('parameter.cell.gates.bias')!.every((b) => b === 2.2)).toBe(true);
    expect(a.tensors.get('parameter.learningRate.readout')!.every((b) => b === 0)).toBe(true);
  });
});
