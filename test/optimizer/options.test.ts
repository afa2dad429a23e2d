import { describe, expect, it } from 'vitest';
import { createOptimizer, loadWeights } from '../../lib/index';
import type { OptimizerOptions } from '../../lib/index';
import { createWeights, decodeWeights, encodeWeights } from '../../lib/optimizer/weights';
import type { Weights } from '../../lib/optimizer/weights';
import { decodeSafetensors } from '../../lib/safetensors';
import { bitsOf, gradientsAt, hex, normals, resume, run, SIZES, startParameters } from './runs';

type AnyOptions = Partial<Record<keyof OptimizerOptions | 'learningRate', unknown>>;

const create = (options: unknown) => (): unknown => createOptimizer([normals(4, 1)], options as OptimizerOptions);

describe('createOptimizer refuses', () => {
  it.each<[AnyOptions, ErrorConstructor, RegExp]>([
    [{ preset: 5 }, TypeError, /^preset: expected the name of a preset or the path .*, got 5$/],
    [{ preset: new Uint8Array(8) }, TypeError, /^preset: expected the name .*, got an object$/],
    [
      { preset: 'adam' },
      RangeError,
      /^preset: expected one of hrnn-3, prototype, rmsprop-like, or the path .*, got 'adam'$/,
    ],
    [{ weights: {} }, TypeError, /^weights: expected weights made by loadWeights, got an object$/],
    [{ weights: 'prototype' }, TypeError, /^weights: expected weights made by loadWeights, got 'prototype'$/],
    [{ weights: null }, TypeError, /^weights: expected weights made by loadWeights, got null$/],
    [{ initialLearningRate: '1e-3' }, TypeError, /^initialLearningRate: expected a number .*, got '1e-3'$/],
    [{ initialLearningRate: 0 }, RangeError, /^initialLearningRate: expected a number from 1e-14 to 1e14, got 0$/],
    [{ initialLearningRate: -1 }, RangeError, /^initialLearningRate: .* got -1$/],
    [{ initialLearningRate: NaN }, RangeError, /^initialLearningRate: .* got NaN$/],
    [{ initialLearningRate: 1e15 }, RangeError, /^initialLearningRate: .* got 1000000000000000$/],
    [{ learningRateMultiplier: '1' }, TypeError, /^learningRateMultiplier: expected a finite number .*, got '1'$/],
    [{ learningRateMultiplier: true }, TypeError, /^learningRateMultiplier: .* got true$/],
    [{ learningRateMultiplier: -0.1 }, RangeError, /^learningRateMultiplier: .* got -0\.1$/],
    [{ learningRateMultiplier: NaN }, RangeError, /^learningRateMultiplier: .* got NaN$/],
    [{ learningRateMultiplier: Infinity }, RangeError, /^learningRateMultiplier: .* got Infinity$/],
    [{ weightDecay: '0.1' }, TypeError, /^weightDecay: expected a finite number of at least 0, got '0\.1'$/],
    [{ weightDecay: -1e-9 }, RangeError, /^weightDecay: .* got -1e-9$/],
    [{ weightDecay: Infinity }, RangeError, /^weightDecay: .* got Infinity$/],
    [{ clipNorm: true }, TypeError, /^clipNorm: expected a number above 0, got true$/],
    [{ clipNorm: 0 }, RangeError, /^clipNorm: .* got 0$/],
    [{ clipNorm: -1 }, RangeError, /^clipNorm: .* got -1$/],
    [{ clipNorm: NaN }, RangeError, /^clipNorm: .* got NaN$/],
    [{ threads: '2' }, TypeError, /^threads: expected an integer from 0 to 256, got '2'$/],
    [{ threads: 1.5 }, RangeError, /^threads: .* got 1\.5$/],
    [{ threads: -1 }, RangeError, /^threads: .* got -1$/],
    [{ threads: 257 }, RangeError, /^threads: .* got 257$/],
    [
      { learningRate: 0.1 },
      RangeError,
      /^options\.learningRate: unknown option; known: preset, weights, initialLearningRate, warmupSteps, annealAfter, learningRateMultiplier, weightDecay, clipNorm, threads, stateBits, device, deviceIndex$/,
    ],
    [
      { preset: 'prototype', weights: loadWeights('prototype') },
      RangeError,
      /^options: expected preset or weights, got both$/,
    ],
  ])('$0', (options, type, message) => {
    expect(create(options)).toThrow(type);
    expect(create(options)).toThrow(message);
  });

  it.each([[null], [5], ['prototype']])('options that are no object: %s', (options) => {
    expect(create(options)).toThrow(TypeError);
    expect(create(options)).toThrow(/^options: expected an object, got /);
  });
});

describe('options', () => {
  it('are completed with the defaults and can be read back', () => {
    expect(createOptimizer([normals(4, 1)]).options).toEqual({
      weights: loadWeights('hrnn-3'),
      preset: 'hrnn-3',
      initialLearningRate: 1e-3,
      warmup: { steps: 150, from: 0.02 },
      annealing: { after: 2000, power: 1.5 },
      learningRateMultiplier: 1,
      weightDecay: 0,
      clipNorm: Infinity,
      threads: 0,
      stateBits: 32,
      device: 'cpu',
      deviceIndex: 0,
    });
  });

  it('that are undefined count as not given', () => {
    const options = { preset: undefined, weights: undefined, clipNorm: undefined, threads: undefined };
    expect(bitsOf(run(5, options))).toBe(bitsOf(run(5)));
  });

  it('preset and weights give the same run for the same weights', () => {
    const [a, b] = [run(20, { preset: 'rmsprop-like' }), run(20, { weights: loadWeights('rmsprop-like') })];
    expect(bitsOf(a)).toBe(bitsOf(b));
    expect(b.optimizer.options.preset).toBeUndefined();
    expect(bitsOf(a)).not.toBe(bitsOf(run(20)));
  });

  it('initialLearningRate is where every learning rate starts', () => {
    const { tensors } = decodeSafetensors(run(0, { initialLearningRate: 1e-4 }).optimizer.saveState());
    for (const i of SIZES.keys()) {
      const rates = tensors.get(`${i}.logLearningRate`)!.data as Float32Array;
      expect([...rates]).toEqual(Array(SIZES[i]).fill(Math.fround(Math.log(1e-4))));
    }
  });

  it('initialLearningRate above what the weights allow starts at the highest they allow', () => {
    const { architecture, tensors, metadata } = loadWeights('prototype');
    const weights = createWeights({ ...architecture, maxLogLearningRate: -5 }, tensors, metadata);
    const optimizer = run(0, { weights, initialLearningRate: 1 }).optimizer;
    const rates = decodeSafetensors(optimizer.saveState()).tensors.get('0.logLearningRate')!.data as Float32Array;
    expect(rates[0]).toBe(-5);
  });
});

describe('gradientScale of an architecture', () => {
  const { architecture, tensors, metadata } = loadWeights('prototype');
  const scaled = createWeights({ ...architecture, gradientScale: 1024 }, tensors, metadata);

  /** Parameters after five steps with gradients times a factor. */
  function after(weights: Weights, factor: number, clipNorm?: number): Float32Array {
    const parameter = normals(40, 1);
    const optimizer = createOptimizer([parameter], { weights, clipNorm });
    for (let step = 0; step < 5; step++) optimizer.step([normals(40, 2 + step).map((g) => g * factor)]);
    return parameter;
  }

  it('is that of gradients multiplied by it', () => {
    expect(hex(after(scaled, 1e-9))).toEqual(hex(after(loadWeights('prototype'), 1e-9 * 1024)));
  });

  it('does not count in the norm that is clipped', () => {
    expect(hex(after(scaled, 2 ** -10, 1e3))).toEqual(hex(after(scaled, 2 ** -10)));
    expect(hex(after(scaled, 2 ** -10, 1e-9))).not.toEqual(hex(after(scaled, 2 ** -10)));
  });

  it('lets steps go on that the constant in the dynamic scaling would stop', () => {
    const moved = (weights: Weights): number =>
      after(weights, 1e-9).reduce((most, v, i) => Math.max(most, Math.abs(v - normals(40, 1)[i])), 0);
    const large = createWeights({ ...architecture, gradientScale: 2 ** 20 }, tensors, metadata);
    const ordinary = after(loadWeights('prototype'), 1);
    expect(moved(large)).toBeGreaterThan(10 * moved(loadWeights('prototype')));
    after(large, 1e-9).forEach((v, i) => expect(v).toBeCloseTo(ordinary[i], 2));
  });

  it('is kept in files, and 1 in files without it', () => {
    expect(decodeWeights(encodeWeights(scaled)).architecture.gradientScale).toBe(1024);
    const { gradientScale: _, ...older } = architecture;
    expect(createWeights(older as typeof architecture, tensors, metadata).architecture.gradientScale).toBe(1);
  });
});

describe('learningRateMultiplier', () => {
  const gradients = startParameters();

  /** Displacement of the first parameter after one step, in double precision. */
  function displacement(options: OptimizerOptions): Float64Array {
    const start = Float64Array.from(normals(20, 1));
    const parameter = start.slice();
    createOptimizer([parameter], options).step([Float64Array.from(normals(20, 2))]);
    return parameter.map((value, i) => value - start[i]);
  }

  it.each([0.5, 3])('multiplies the step: %s', (multiplier) => {
    const [whole, scaled] = [displacement({}), displacement({ learningRateMultiplier: multiplier })];
    scaled.forEach((value, i) => expect(value).toBeCloseTo(multiplier * whole[i], 15));
  });

  it('0 leaves the parameters bit for bit as they are, while the state advances as with 1', () => {
    const frozen = startParameters();
    frozen[0].set([0, -0, 1e-45, -1e-45, 3e38]);
    const before = hex(...frozen);
    const optimizer = createOptimizer(frozen, { learningRateMultiplier: 0 });
    const free = createOptimizer(startParameters());
    for (let i = 0; i < 5; i++) {
      optimizer.step(gradients);
      free.step(gradients);
    }
    expect(hex(...frozen)).toBe(before);
    expect(optimizer.iterations).toBe(5);
    expect(hex(optimizer.saveState())).toBe(hex(free.saveState()));
  });

  it('as a function is called once per step with its 0-based index, also after loadState', async () => {
    const seen: number[] = [];
    const learningRateMultiplier = (step: number): number => {
      seen.push(step);
      return 1 / (step + 1);
    };
    const scheduled = run(3, { learningRateMultiplier });
    await scheduled.optimizer.stepAsync(gradients);
    expect(seen).toEqual([0, 1, 2, 3]);
    const resumed = createOptimizer(scheduled.parameters, { learningRateMultiplier });
    resumed.loadState(scheduled.optimizer.saveState());
    resumed.step(gradients);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  it('as a function gives the steps of the numbers that it returns', () => {
    const schedule = [1, 0.5, 0, 2];
    const byFunction = run(4, { learningRateMultiplier: (step) => schedule[step] });
    const byHand = startParameters();
    let state: Uint8Array | undefined;
    schedule.forEach((learningRateMultiplier, step) => {
      const optimizer = createOptimizer(byHand, { learningRateMultiplier });
      if (state !== undefined) optimizer.loadState(state);
      optimizer.step(gradientsAt(byHand, step));
      state = optimizer.saveState();
    });
    expect(hex(...byFunction.parameters)).toBe(hex(...byHand));
  });

  it.each<[unknown, ErrorConstructor]>([
    [-1, RangeError],
    [NaN, RangeError],
    [Infinity, RangeError],
    [undefined, TypeError],
    ['1', TypeError],
  ])('as a function that returns %s throws at that step, which changes nothing', async (bad, type) => {
    let value: unknown = 1;
    const current = run(2, { learningRateMultiplier: () => value as number });
    const before = bitsOf(current);
    value = bad;
    expect(() => current.optimizer.step(gradients)).toThrow(type);
    expect(() => current.optimizer.step(gradients)).toThrow(/^learningRateMultiplier: expected a finite number/);
    await expect(current.optimizer.stepAsync(gradients)).rejects.toThrow(type);
    expect(bitsOf(current)).toBe(before);
    value = 1;
    resume(current, 1);
    expect(bitsOf(current)).toBe(bitsOf(run(3)));
  });

  it('as a function that throws passes the error on and changes nothing', () => {
    const current = run(0, {
      learningRateMultiplier: () => {
        throw new Error('no such epoch');
      },
    });
    const before = bitsOf(current);
    expect(() => current.optimizer.step(gradients)).toThrow('no such epoch');
    expect(bitsOf(current)).toBe(before);
  });
});

describe('weightDecay', () => {
  it.each([
    [0.01, 1],
    [0.1, 0.5],
    [1, 1],
    [0.3, 0],
  ])('%s with multiplier %s: θ − multiplier·(step + λ·θ), the state as without it', (weightDecay, multiplier) => {
    const start = Float64Array.from(normals(200, 1));
    const gradient = Float64Array.from(normals(200, 2));
    const [plain, decayed] = [start.slice(), start.slice()];
    const common = { learningRateMultiplier: multiplier, warmupSteps: 0 };
    const a = createOptimizer([plain], common);
    const b = createOptimizer([decayed], { ...common, weightDecay });
    a.step([gradient]);
    b.step([gradient]);
    decayed.forEach((value, i) => expect(value).toBeCloseTo(plain[i] - multiplier * weightDecay * start[i], 14));
    expect(hex(b.saveState())).toBe(hex(a.saveState()));
  });

  it('takes the values before the step, in single precision too', () => {
    const start = normals(200, 1);
    const [plain, decayed] = [start.slice(), start.slice()];
    createOptimizer([plain], { warmupSteps: 0 }).step([normals(200, 2)]);
    createOptimizer([decayed], { warmupSteps: 0, weightDecay: 0.25 }).step([normals(200, 2)]);
    decayed.forEach((value, i) => expect(value).toBeCloseTo(plain[i] - 0.25 * start[i], 6));
  });

  it('leaves a tensor without a gradient alone', () => {
    const parameters = startParameters();
    createOptimizer(parameters, { weightDecay: 0.1 }).step([gradientsAt(parameters, 0)[0], null, null]);
    expect(hex(parameters[1], parameters[2])).toBe(hex(...startParameters().slice(1)));
  });
});

describe('clipNorm', () => {
  const gradients = (): Float32Array[] => [Float32Array.of(3, 0), Float32Array.of(0, 4, 0)];
  const make = (options?: OptimizerOptions) => createOptimizer([normals(2, 1), normals(3, 2)], options);

  it('reports the norm of all gradients together, before clipping', () => {
    for (const clipNorm of [0.001, 5, 100]) expect(make({ clipNorm }).step(gradients()).gradientNorm).toBe(5);
    expect(make().step(gradients()).gradientNorm).toBeNaN();
    expect(make({ clipNorm: 1 }).step([null, gradients()[1]]).gradientNorm).toBe(4);
  });

  it('does not change gradients up to it', () => {
    const [plain, clipped] = [make(), make({ clipNorm: 5 })];
    for (let i = 0; i < 3; i++) {
      plain.step(gradients());
      clipped.step(gradients());
    }
    expect(hex(clipped.saveState(), ...clipped.evaluationParameters())).toBe(
      hex(plain.saveState(), ...plain.evaluationParameters()),
    );
  });

  it('scales longer gradients as scaling them by hand does, bit for bit where the factor is a power of two', () => {
    const [byHand, clipped] = [make(), make({ clipNorm: 1.25 })];
    for (let i = 0; i < 3; i++) {
      byHand.step(gradients().map((g) => g.map((v) => v / 4)));
      clipped.step(gradients());
    }
    expect(hex(clipped.saveState(), ...clipped.evaluationParameters())).toBe(
      hex(byHand.saveState(), ...byHand.evaluationParameters()),
    );
    expect(hex(clipped.saveState())).not.toBe(hex(make().saveState()));
  });

  it('scales by clipNorm / norm in double precision', () => {
    const [a, b] = [Float64Array.from(normals(50, 1)), Float64Array.from(normals(50, 1))];
    const [byHand, clipped] = [createOptimizer([a]), createOptimizer([b], { clipNorm: 0.7 })];
    for (let i = 0; i < 10; i++) {
      // Steps of different lengths: a constant factor alone would be lost in the scaling by the running magnitude.
      const gradient = Float64Array.from(normals(50, i)).map((v) => v * 10 ** (i - 5));
      const norm = Math.hypot(...gradient);
      byHand.step([gradient.map((v) => v * Math.min(1, 0.7 / norm))]);
      expect(clipped.step([gradient]).gradientNorm).toBeCloseTo(norm, 6);
    }
    b.forEach((value, i) => expect(value).toBeCloseTo(a[i], 12));
  });
});

describe('threads', () => {
  // Several chunks of 2,048 coordinates, so that there is something to share out.
  const sizes = [5000, 1, 70, 12_345, 2048];

  it.each(['prototype', 'rmsprop-like'])('1, 2, 3 and 8 give the same bits: %s', (preset) => {
    const [first, ...others] = [1, 2, 3, 8].map((threads) =>
      run(8, { preset, threads, clipNorm: 10, weightDecay: 0.01 }, sizes),
    );
    for (const other of others) expect(bitsOf(other) === bitsOf(first)).toBe(true);
  });
});
