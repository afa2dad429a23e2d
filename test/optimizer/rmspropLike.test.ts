import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createOptimizer, loadWeights, presets } from '../../lib/index';
import { packageRoot } from '../../lib/packageRoot';
import { decodeSafetensors } from '../../lib/safetensors';
import { normals } from './runs';

describe('presets()', () => {
  it.each(presets())('gives names that load, of weights with a card: $name', ({ name }) => {
    expect(loadWeights(name).metadata.name).toBe(name);
    expect(readFileSync(join(packageRoot, 'weights', `${name}.md`), 'utf8')).toContain(`# ${name}\n`);
  });

  it('marks as default, first of the list, what createOptimizer takes when none is named', () => {
    expect(presets().map((preset) => preset.isDefault)).toEqual(presets().map((_, i) => i === 0));
    expect(createOptimizer([new Float32Array(1)]).options.weights).toBe(loadWeights(presets()[0].name));
  });
});

describe('rmsprop-like', () => {
  const rate = 1e-3;
  const timescales = [0, 1, 2, 3];

  /** RMSProp with momentum at four timescales, normalised over the tensor, written out in double precision. */
  function* formula(start: ArrayLike<number>, gradients: (step: number) => ArrayLike<number>): Generator<Float64Array> {
    const theta = Float64Array.from(start);
    const momentum = timescales.map(() => new Float64Array(theta.length));
    const scale = timescales.map(() => new Float64Array(theta.length));
    for (let step = 0; ; step++) {
      const g = gradients(step);
      const [beta, betaScale] = step === 0 ? [0, 0] : [0.9, 0.96];
      const d = theta.map((_, i) => {
        let sum = 0;
        for (const s of timescales) {
          const decay = beta ** (2 ** -s);
          const m = (momentum[s][i] = decay * momentum[s][i] + (1 - decay) * g[i]);
          const l = (scale[s][i] = betaScale * scale[s][i] + (1 - betaScale) * (m * m + 1e-12));
          sum += Math.asinh(m / Math.sqrt(l + 1e-16));
        }
        return sum / timescales.length;
      });
      const rms = Math.sqrt(d.reduce((sum, v) => sum + v * v, 0) / d.length + 1e-16);
      d.forEach((v, i) => (theta[i] -= (rate * v) / rms));
      yield theta.slice();
    }
  }

  it('moves every parameter by the learning rate in the first step on gradients of one size, whatever the size', () => {
    for (const size of [1e-3, 1, 1e6]) {
      const parameters = [new Float32Array(8)];
      const optimizer = createOptimizer(parameters, { preset: 'rmsprop-like' });
      optimizer.step([Float32Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? size : -size))]);
      parameters[0].forEach((value, i) => expect(value).toBeCloseTo(i % 2 === 0 ? -rate : rate, 8));
    }
  });

  it.each([
    ['constant gradients', (): Float32Array => normals(50, 1)],
    ['changing gradients', (step: number): Float32Array => normals(50, step)],
  ])('is the formula it claims to be, in both precisions, for 30 steps of %s', (_, gradients) => {
    // Small, so that the rounding of float32 parameters is small beside the steps.
    const start = normals(50, 77).map((v) => v / 100);
    // The preset holds its decays in single precision, hence no more digits in double.
    for (const [type, digits] of [
      [Float32Array, 6],
      [Float64Array, 8],
    ] as const) {
      const parameter = type.from(start);
      const optimizer = createOptimizer([parameter] as Float32Array[], { preset: 'rmsprop-like' });
      const expected = formula(start, gradients);
      for (let step = 0; step < 30; step++) {
        optimizer.step([type.from(gradients(step))] as Float32Array[]);
        const theta = expected.next().value as Float64Array;
        parameter.forEach((value, i) => expect(value, `step ${step}`).toBeCloseTo(theta[i], digits));
      }
    }
  });

  it('never changes the learning rate', () => {
    const parameters = [normals(20, 1), normals(3, 2)];
    const initialLearningRate = 0.02;
    const optimizer = createOptimizer(parameters, { preset: 'rmsprop-like', initialLearningRate });
    for (let step = 0; step < 100; step++) optimizer.step(parameters.map((p) => p.map((v) => v * 10 ** (step % 7))));
    const { tensors } = decodeSafetensors(optimizer.saveState());
    for (const i of [0, 1]) {
      const rates = tensors.get(`${i}.logLearningRate`)!.data as Float32Array;
      expect([...rates]).toEqual(Array(rates.length).fill(Math.fround(Math.log(initialLearningRate))));
    }
  });
});
