import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadDigits } from '../../lib/datasets/digits';
import { adam } from '../../lib/experiments/baselines';
import { RunCache } from '../../lib/experiments/comparison/runCache';
import { TaskRunner } from '../../lib/experiments/comparison/runner';
import { l2lContestant } from '../../lib/experiments/l2l/contestant';
import { l2l } from '../../lib/experiments/l2l/optimizer';
import { loadL2lImages, mlpOptimizee } from '../../lib/experiments/l2l/optimizees';
import { logAndSign } from '../../lib/experiments/l2l/preprocessing';
import { shippedL2lWeights } from '../../lib/experiments/l2l/shipped';
import { decodeL2lWeights, initialL2lWeights } from '../../lib/experiments/l2l/weights';
import { l2lShapes, l2lSize, l2lTensors, readL2lWeights, saveL2lWeights } from '../../lib/experiments/l2l/weights';
import { VALIDATION_TASKS } from '../../lib/experiments/tasks/validationTasks';
import { train } from '../../lib/experiments/training';
import { presets } from '../../lib/optimizer/presets';
import { packageRoot } from '../../lib/packageRoot';
import { createRandom } from '../../lib/random';
import { encodeSafetensors, SafetensorsError } from '../../lib/safetensors';
import { coordinateStep, freshCoordinate } from './l2lReference';

/** Folder with the t10k files of MNIST; without it the test on the real images is skipped. */
const mnistDir = process.env['MNIST_DIR'];

const folder = mkdtempSync(join(tmpdir(), 'l2l-weights-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('logAndSign', () => {
  it.each([
    [1, 0, 1],
    [-1, 0, -1],
    [Math.E, 0.1, 1],
    [-100, Math.log(100) / 10, -1],
    [1e-4, Math.log(1e-4) / 10, 1],
    [-5e-5, Math.log(5e-5) / 10, -1],
    // Below e^-10 ≈ 4.54e-5
    [4e-5, -1, Math.exp(10) * 4e-5],
    [-1e-9, -1, -Math.exp(10) * 1e-9],
    [0, -1, 0],
  ])('of %d is (%d, %d)', (gradient, first, second) => {
    const inputs = new Float64Array(6);
    logAndSign(Float64Array.of(7, gradient), inputs, 3, 2);
    expect(inputs[1]).toBeCloseTo(first, 12);
    expect(inputs[4]).toBeCloseTo(second, 12);
    expect([inputs[2], inputs[5]]).toEqual([0, 0]);
  });

  it('shows a gradient that is not finite', () => {
    const inputs = new Float32Array(6);
    logAndSign(Float32Array.of(NaN, Infinity, -Infinity), inputs, 3, 3);
    expect([...inputs]).toEqual([NaN, Infinity, Infinity, NaN, 1, -1]);
  });
});

describe('weights of L2L', () => {
  it('are as many as two layers of 20 units and the read-out have', () => {
    expect(l2lSize(20)).toBe(80 * 23 + 80 * 41 + 21);
    const { values } = initialL2lWeights(1);
    const [first, second, output] = l2lTensors(20, values);
    const bias = (t: Float32Array, row: number, columns: number): number => t[row * columns + columns - 1];
    expect([0, 19, 20, 39, 40, 79].map((row) => bias(first, row, 23))).toEqual([0, 0, 1, 1, 0, 0]);
    expect([19, 20, 79].map((row) => bias(second, row, 41))).toEqual([0, 1, 0]);
    expect(bias(output, 0, 21)).toBe(0);
    const spread = Math.sqrt(second.reduce((sum, w, i) => sum + (i % 41 === 40 ? 0 : w * w), 0) / (80 * 40));
    expect(spread * Math.sqrt(40)).toBeCloseTo(1, 1);
    expect(initialL2lWeights(1).values).toEqual(values);
    expect(initialL2lWeights(2).values).not.toEqual(values);
  });

  it('survive a file to the last bit', () => {
    const path = join(folder, 'weights.safetensors');
    const weights = { ...initialL2lWeights(4, 7), metadata: { name: 'mine', provenance: '{"seed":4}' } };
    saveL2lWeights(path, weights);
    expect(readL2lWeights(path)).toEqual(weights);
  });

  const [units, format] = [3, 'learned-optimizer-l2l'];
  const tensorsOf = (change: Record<string, readonly [number, number]> = {}) =>
    l2lShapes(units).map(([name, shape]) => {
      const [rows, columns] = change[name] ?? shape;
      return [name, { shape: [rows, columns], data: new Float32Array(rows * columns) }] as const;
    });
  const metadata = { format, units: String(units) };

  it.each<[string, Parameters<typeof encodeSafetensors>[0], RegExp]>([
    [
      'another shape',
      { tensors: tensorsOf({ layer1: [12, 8] }), metadata },
      /tensor 'layer1': expected shape \[12, 7\], got \[12, 8\]/,
    ],
    [
      'a tensor missing',
      { tensors: tensorsOf().slice(0, 2), metadata },
      /tensor 'output': expected shape \[1, 4\], got none/,
    ],
    [
      'a tensor too many',
      { tensors: [...tensorsOf(), ['more', { shape: [1], data: new Float32Array(1) }]], metadata },
      /expected the tensors layer0, layer1, output, got 'more'/,
    ],
    [
      'other units',
      { tensors: tensorsOf(), metadata: { format, units: '4' } },
      /tensor 'layer0': expected shape \[16, 7\], got \[12, 6\]/,
    ],
    ['no units', { tensors: tensorsOf(), metadata: { format } }, /units: expected a positive integer, got NaN/],
    ['no format', { tensors: tensorsOf() }, /expected metadata format 'learned-optimizer-l2l', got 'none'/],
    [
      'a value that is not finite',
      {
        tensors: [['output', { shape: [1, 4], data: Float32Array.of(1, 2, NaN, 4) }], ...tensorsOf().slice(0, 2)],
        metadata,
      },
      /tensor 'output': expected finite values/,
    ],
    [
      'double precision',
      { tensors: [['output', { shape: [1, 4], data: new Float64Array(4) }], ...tensorsOf().slice(0, 2)], metadata },
      /tensor 'output': expected finite values of type F32/,
    ],
  ])('are refused with %s', (_, file, message) => {
    expect(() => decodeL2lWeights(encodeSafetensors(file))).toThrow(message);
    expect(() => decodeL2lWeights(encodeSafetensors(file))).toThrow(RangeError);
  });

  it('are refused where they are no safetensors, or of another length', () => {
    expect(() => decodeL2lWeights(Buffer.from('none'))).toThrow(SafetensorsError);
    const { values, metadata: rest } = initialL2lWeights(1, 5);
    expect(() => l2l({ weights: { units: 6, values, metadata: rest } })).toThrow(
      `values: expected ${l2lSize(6)} for 6 units, got ${l2lSize(5)}`,
    );
  });
});

describe('l2l', () => {
  const sizes = [70, 1, 32];
  const random = createRandom(8);
  // Magnitudes on both sides of the threshold of the preprocessing.
  const draw = (): Float32Array[] =>
    sizes.map((size) => Float32Array.from({ length: size }, () => random.normal() * 10 ** (6 * random.uniform() - 6)));
  const steps = Array.from({ length: 12 }, draw);

  it.each([1, 5, 20])('takes the steps of its equations with %i units, coordinate by coordinate', (units) => {
    const weights = initialL2lWeights(6, units);
    const values = Float64Array.from(weights.values);
    const parameters = draw();
    const expected = parameters.map((p) => Float64Array.from(p));
    const states = parameters.map((p) => Array.from(p, () => freshCoordinate(units)));
    const optimizer = l2l({ weights })(parameters);
    const start = parameters.map((p) => p.slice());
    for (const gradients of steps) {
      optimizer.step(gradients);
      gradients.forEach((g, t) =>
        g.forEach((value, i) => (expected[t][i] += coordinateStep(units, values, states[t][i], value))),
      );
    }
    const flat = (arrays: readonly (Float32Array | Float64Array)[]): number[] => arrays.flatMap((a) => [...a]);
    const [got, wanted, from] = [parameters, expected, start].map(flat);
    expect(Math.max(...got.map((v, i) => Math.abs(v - wanted[i])))).toBeLessThan(2e-6);
    expect(Math.max(...wanted.map((v, i) => Math.abs(v - from[i])))).toBeGreaterThan(1e-3);
  });

  it('multiplies its steps', () => {
    const weights = initialL2lWeights(6);
    const moved = [1, 0.5].map((multiplier) => {
      const parameters = sizes.map((size) => new Float32Array(size));
      l2l({ weights, multiplier })(parameters).step(steps[0]);
      return parameters[0];
    });
    expect([...moved[1]].map((v) => 2 * v)).toEqual([...moved[0]]);
    expect(() => l2l({ weights, multiplier: NaN })).toThrow('multiplier: expected a finite number, got NaN');
  });

  it('keeps a gradient that is not a number to its coordinate', () => {
    const run = (bad: boolean): Float32Array => {
      const parameters = [new Float32Array(70)];
      const optimizer = l2l({ weights: initialL2lWeights(6) })(parameters);
      for (const [g] of steps) optimizer.step([bad ? Float32Array.from(g, (v, i) => (i === 40 ? NaN : v)) : g]);
      return parameters[0];
    };
    const [whole, harmed] = [run(false), run(true)];
    expect(harmed[40]).toBeNaN();
    expect(harmed.map((v, i) => (i === 40 ? whole[40] : v))).toEqual(whole);
  });
});

describe('l2lContestant', () => {
  it('is named by its weights', () => {
    const weights = initialL2lWeights(1);
    const { name, title, customaryRate } = l2lContestant(weights);
    expect(name).toMatch(/^l2l-[0-9a-f]{12}$/);
    expect([title, customaryRate]).toEqual(['L2L (untrained)', 1]);
    expect(l2lContestant({ ...weights, metadata: { name: 'x', provenance: '' } }).name).toBe(name);
    const values = weights.values.slice();
    values[100] += 1e-6;
    expect(l2lContestant({ ...weights, values }).name).not.toBe(name);
  });

  it('runs in a comparison, from the cache the second time', async () => {
    const task = { ...VALIDATION_TASKS[0], steps: 6, evaluateEvery: 3 };
    const cache = new RunCache();
    const options = { data: { digits: loadDigits() }, cache };
    const contestant = l2lContestant(initialL2lWeights(1));
    const [run] = await new TaskRunner(task, options).runs(contestant, 1, [0]);
    const never = { ...contestant, make: () => expect.fail('expected the run of the cache') };
    expect(await new TaskRunner(task, options).runs(never, 1, [0])).toEqual([run]);
    expect(cache.size).toBe(1);
  });
});

describe('the weights of L2L that ship', () => {
  it('are small, no preset, and say where they come from', () => {
    const weights = shippedL2lWeights();
    expect(weights.units).toBe(20);
    expect(statSync(join(packageRoot, 'data', 'l2l.safetensors')).size).toBeLessThan(30_000);
    expect(existsSync(join(packageRoot, 'weights', 'l2l.safetensors'))).toBe(false);
    expect(presets().map(({ name }) => name)).not.toContain('l2l');
    expect(JSON.parse(weights.metadata.provenance)).toMatchObject({
      optimizee: 'mlp 784-20-10 sigmoid, 8000 images',
      config: { horizon: 100, truncation: 20, units: 20 },
    });
  });

  it.runIf(mnistDir)('train the network that they were meta-trained on', { timeout: 120_000 }, async () => {
    const problem = mlpOptimizee(await loadL2lImages({ dataDir: mnistDir }));
    const options = { seed: 3, steps: 100, evaluateEvery: 100 };
    const { losses } = await train(problem, l2l({ weights: shippedL2lWeights() }), options);
    expect(losses[0].loss).toBeGreaterThan(2.2);
    expect(losses[1].loss).toBeLessThan(0.45);
  });

  it('train the same network on smaller digits, faster than Adam at its customary rate', async () => {
    const problem = mlpOptimizee(loadDigits());
    const options = { seed: 3, steps: 100, evaluateEvery: 100 };
    const run = async (optimizer: ReturnType<typeof adam>): Promise<number[]> =>
      (await train(problem, optimizer, options)).losses.map(({ loss }) => loss);
    const learned = await run(l2l({ weights: shippedL2lWeights() }));
    const baseline = await run(adam({ learningRate: 1e-3 }));
    expect(learned[0]).toBeGreaterThan(2.2);
    expect(learned[1]).toBeLessThan(0.7);
    expect(learned[1]).toBeLessThan(0.5 * baseline[1]);
  });
});
