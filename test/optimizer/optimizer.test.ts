import { describe, expect, it } from 'vitest';
import { createOptimizer, LearnedOptimizer } from '../../lib/index';
import type { FloatArray, GradientSet } from '../../lib/index';
import {
  ARCHITECTURES,
  attentionWeights,
  bitsOf,
  detached,
  gradientsAt,
  hex,
  normals,
  relativeDistance,
  resume,
  run,
  SIZES,
  startParameters,
} from './runs';

const create = (params: unknown) => (): unknown => createOptimizer(params as Float32Array[]);

describe('parameters', () => {
  it('may be a list or a record; the steps are the same', () => {
    const [w, b] = [normals(30, 1), normals(3, 2)];
    const list = [w.slice(), b.slice()];
    const named = { w, b };
    const [byPosition, byName] = [createOptimizer(list), createOptimizer(named)];
    expect(byPosition).toBeInstanceOf(LearnedOptimizer);
    for (let i = 0; i < 10; i++) {
      const [gw, gb] = gradientsAt(list, i);
      const a = byPosition.step([gw, gb]);
      // The names say which gradient is whose, not their order.
      expect(byName.step({ b: gb, w: gw })).toEqual(a);
      expect(a.iteration).toBe(i + 1);
    }
    expect(hex(w, b)).toBe(hex(...list));
    expect(hex(w)).not.toBe(hex(normals(30, 1)));
    expect(Object.keys(byName.evaluationParameters())).toEqual(['w', 'b']);
    expect(byPosition.evaluationParameters()).toHaveLength(2);
  });

  it('are updated in place, in parts of a larger buffer too, and nothing beside them', () => {
    const buffer = new Float32Array(100).fill(7);
    const [a, b] = [buffer.subarray(10, 40), buffer.subarray(40, 60)];
    createOptimizer([b, a]).step([normals(20, 1), normals(30, 2)]);
    buffer.forEach((value, i) => (i >= 10 && i < 60 ? expect(value).not.toBe(7) : expect(value).toBe(7)));
  });

  it.each<[string, unknown, ErrorConstructor, RegExp]>([
    ['nothing', undefined, TypeError, /^params: expected an array or an object of Float32Arrays, got undefined$/],
    ['one array', normals(3, 1), TypeError, /^params: expected .*, got Float32Array of length 3$/],
    ['an empty list', [], RangeError, /^params: expected at least one array, got none$/],
    ['an empty record', {}, RangeError, /^params: expected at least one array, got none$/],
    ['numbers', [[1, 2]], TypeError, /^params\.0: expected a Float32Array, got an array of length 2$/],
    [
      'integers',
      { w: new Int32Array(3) },
      TypeError,
      /^params\.w: expected a Float32Array, got Int32Array of length 3$/,
    ],
    ['null', { w: null }, TypeError, /^params\.w: expected a Float32Array, got null$/],
    [
      'a list with a hole',
      [normals(1, 1), , normals(1, 2)],
      TypeError,
      /^params\.1: expected a Float32Array, got undefined$/,
    ],
    [
      'both precisions',
      [new Float32Array(2), new Float64Array(2)],
      TypeError,
      /^params\.1: expected Float32Array like the first one, got Float64Array of length 2$/,
    ],
    ['an empty array', { w: new Float32Array(0) }, RangeError, /^params\.w: expected at least one element, got none/],
    ['a detached array', [detached(normals(4, 1))], RangeError, /^params\.0: .* \(is its buffer detached\?\)$/],
  ])('are refused when they are %s', (_, params, type, message) => {
    expect(create(params)).toThrow(type);
    expect(create(params)).toThrow(message);
  });

  it('are refused when they share memory', () => {
    const buffer = new Float32Array(10);
    expect(create({ a: buffer.subarray(0, 6), b: buffer.subarray(5) })).toThrow(
      'params: expected arrays that share no memory, got a and b overlapping',
    );
    expect(create([buffer, buffer])).toThrow(/^params: .* got 0 and 1 overlapping$/);
    expect(create([buffer, buffer.subarray(3, 4)])).toThrow(RangeError);
    expect(create([buffer.subarray(0, 5), buffer.subarray(5)])).not.toThrow();
  });
});

describe('gradients are refused, and nothing changes,', () => {
  const good = (): Float32Array[] => SIZES.map((size, i) => normals(size, 5 + i));
  const replaced = (i: number, value: unknown): unknown[] => good().map((g, j) => (i === j ? value : g));

  it.each<[string, () => unknown, RegExp]>([
    ['when they are none', () => undefined, /^gradients: expected an array of arrays, got undefined$/],
    ['when they are one array', () => normals(37, 1), /^gradients: .* got Float32Array of length 37$/],
    ['when they are a record', () => ({ 0: good()[0] }), /^gradients: expected an array of length 3, .* got an object/],
    ['when one is too few', () => good().slice(1), /^gradients: expected an array of length 3, .* length 2$/],
    [
      'when one is too many',
      () => [...good(), normals(1, 1)],
      /^gradients: expected an array of length 3, .* length 4$/,
    ],
    [
      'when a length is wrong',
      () => replaced(2, normals(299, 1)),
      /^gradients\.2: expected Float32Array of length 300, got Float32Array of length 299$/,
    ],
    [
      'when a precision is wrong',
      () => replaced(0, new Float64Array(37)),
      /^gradients\.0: expected Float32Array of length 37, got Float64Array of length 37$/,
    ],
    [
      'when one is a list of numbers',
      () => replaced(0, Array(37).fill(0)),
      /^gradients\.0: .* got an array of length 37$/,
    ],
    ['when one is a number', () => replaced(1, 0), /^gradients\.1: .* got 0$/],
    [
      'when one is detached',
      () => replaced(0, detached(normals(37, 1))),
      /^gradients\.0: .* got Float32Array of length 0$/,
    ],
  ])('%s', async (_, gradients, message) => {
    const current = run(2);
    const before = bitsOf(current);
    const bad = gradients() as GradientSet;
    expect(() => current.optimizer.step(bad)).toThrow(message);
    await expect(current.optimizer.stepAsync(bad)).rejects.toThrow(message);
    expect(bitsOf(current)).toBe(before);
    resume(current, 1);
    expect(bitsOf(current)).toBe(bitsOf(run(3)));
  });

  it.each<[string, unknown, RegExp]>([
    ['a name is missing', { w: normals(4, 1) }, /^gradients\.b: expected an array, or null when .*, got no entry$/],
    ['a name is unknown', { w: null, b: null, v: null }, /^gradients\.v: no parameter has this name; expected w, b$/],
    ['they are a list', [normals(4, 1), normals(2, 1)], /^gradients: expected an object with the names/],
    ['they are a Map', new Map([['w', normals(4, 1)]]), /^gradients\.w: .* got no entry$/],
    ['one is of the wrong length', { w: normals(5, 1), b: null }, /^gradients\.w: expected Float32Array of length 4/],
  ])('by name, when %s', (_, gradients, message) => {
    const named = { w: normals(4, 8), b: normals(2, 9) };
    const optimizer = createOptimizer(named);
    const before = hex(named.w, named.b, optimizer.saveState());
    expect(() => optimizer.step(gradients as typeof named)).toThrow(message);
    expect(hex(named.w, named.b, optimizer.saveState())).toBe(before);
  });

  it('by name, when a name of Object.prototype is missing', () => {
    const optimizer = createOptimizer({ constructor: normals(4, 1) });
    expect(() => optimizer.step({} as { constructor: Float32Array })).toThrow(/^gradients\.constructor: .* no entry$/);
  });

  it('when one is a parameter itself', () => {
    const current = run(2);
    const before = bitsOf(current);
    expect(() => current.optimizer.step(replaced(0, current.parameters[0]) as Float32Array[])).toThrow(/memory/);
    expect(bitsOf(current)).toBe(before);
  });

  it('when a parameter was detached since', () => {
    const { parameters, optimizer } = run(2);
    detached(parameters[1]);
    const before = hex(parameters[0], optimizer.saveState());
    for (const gradients of [good(), replaced(1, new Float32Array(0)) as Float32Array[]]) {
      expect(() => optimizer.step(gradients)).toThrow(
        'params.1: expected length 1 as at the start, got 0 (is its buffer detached?)',
      );
    }
    expect(hex(parameters[0], optimizer.saveState())).toBe(before);
  });
});

describe('a tensor without a gradient', () => {
  it.each(ARCHITECTURES)('keeps parameter and state bit for bit, and the others step as if alone: %s', (_, weights) => {
    const [with3, without] = [startParameters(), startParameters()];
    const three = createOptimizer({ a: with3[0], b: with3[1], c: with3[2] }, { weights });
    const two = createOptimizer({ a: without[0], c: without[2] }, { weights });
    for (let i = 0; i < 6; i++) {
      const [a, , c] = gradientsAt(without, i);
      three.step({ a, b: i % 2 === 0 ? null : undefined, c });
      two.step({ a, c });
    }
    expect(hex(with3[1])).toBe(hex(startParameters()[1]));
    expect(hex(with3[0], with3[2])).toBe(hex(without[0], without[2]));
    // The tensor is as on its first step when its gradient comes at last.
    const late = three.step({ a: null, b: normals(1, 1), c: null });
    expect(late).toMatchObject({ iteration: 7, skipped: 0 });
    expect(hex(with3[1])).not.toBe(hex(startParameters()[1]));
    expect(hex(with3[0], with3[2])).toBe(hex(without[0], without[2]));
  });

  it('may be every tensor: the step counts and nothing else changes', () => {
    const current = run(2);
    const state = hex(...current.parameters);
    expect(current.optimizer.step([null, undefined, null])).toMatchObject({ iteration: 3, skipped: 0 });
    expect(hex(...current.parameters)).toBe(state);
  });
});

describe('non-finite gradients', () => {
  it.each(ARCHITECTURES)('are counted and leave their coordinates alone: %s', (_, weights) => {
    const { parameters, optimizer } = run(3, { weights });
    const before = parameters.map((p) => p.slice());
    const gradients = gradientsAt(parameters, 3);
    gradients[0].set([NaN, Infinity, -Infinity], 5);
    gradients[1][0] = NaN;
    const position = optimizer.evaluationParameters();
    expect(optimizer.step(gradients).skipped).toBe(4);
    const after = optimizer.evaluationParameters();
    for (const i of [5, 6, 7]) {
      expect(after[0][i]).toBe(position[0][i]);
      if (!weights.architecture.attention) expect(parameters[0][i]).toBe(before[0][i]);
    }
    expect(hex(parameters[1])).toBe(hex(before[1]));
    after[0].forEach((v, i) => (i < 5 || i > 7 ? expect(v).not.toBe(position[0][i]) : undefined));
    for (const p of parameters) expect(p.every(Number.isFinite)).toBe(true);
  });

  it('do not harm later steps, however many there are', () => {
    const { parameters, optimizer } = run(3, { warmupSteps: 0 });
    const bits = hex(...parameters);
    const nan = parameters.map((p) => new Float32Array(p.length).fill(NaN));
    for (let i = 0; i < 5; i++) expect(optimizer.step(nan).skipped).toBe(338);
    expect(hex(...parameters)).toBe(bits);
    const undisturbed = run(3, { warmupSteps: 0 });
    const gradients = gradientsAt(parameters, 3);
    optimizer.step(gradients);
    undisturbed.optimizer.step(gradients);
    expect(hex(...parameters)).toBe(hex(...undisturbed.parameters));
  });
});

describe('stepAsync', () => {
  it.each(ARCHITECTURES)('gives the bits of step: %s', async (_, weights) => {
    const synchronous = run(6, { weights });
    const current = run(0, { weights });
    for (let i = 0; i < 6; i++) {
      const report = await current.optimizer.stepAsync(gradientsAt(current.parameters, i));
      expect(report).toEqual({ iteration: i + 1, gradientNorm: NaN, skipped: 0 });
    }
    expect(bitsOf(current)).toBe(bitsOf(synchronous));
  });

  it('copies the gradients before it returns', async () => {
    const [expected, current] = [run(1), run(0)];
    const gradients = gradientsAt(current.parameters, 0);
    const pending = current.optimizer.stepAsync(gradients);
    for (const g of gradients) g.fill(NaN);
    expect((await pending).skipped).toBe(0);
    expect(bitsOf(current)).toBe(bitsOf(expected));
  });

  it('keeps every other call out until its promise resolves', async () => {
    for (const weights of [ARCHITECTURES[0][1], attentionWeights]) {
      const current = run(1, { weights });
      const { optimizer, parameters } = current;
      const [gradients, state] = [gradientsAt(parameters, 1), optimizer.saveState()];
      const pending = optimizer.stepAsync(gradients);
      const busy = /^a step of this optimizer is in progress; await the promise of stepAsync first$/;
      expect(() => optimizer.step(gradients)).toThrow(busy);
      expect(() => optimizer.saveState()).toThrow(busy);
      expect(() => optimizer.loadState(state)).toThrow(busy);
      expect(() => optimizer.evaluationParameters()).toThrow(busy);
      expect(() => optimizer.resetLookahead()).toThrow(busy);
      expect(() => optimizer.dispose()).toThrow(busy);
      await expect(optimizer.stepAsync(gradients)).rejects.toThrow(busy);
      await pending;
      resume(current, 1);
      expect(bitsOf(current)).toBe(bitsOf(run(3, { weights })));
    }
  });
});

describe('dispose', () => {
  it('may be called twice, and every later call says so', async () => {
    for (const weights of [ARCHITECTURES[0][1], attentionWeights]) {
      const { optimizer, parameters } = run(1, { weights });
      const [state, bits] = [optimizer.saveState(), hex(...parameters)];
      optimizer.dispose();
      optimizer.dispose();
      const gone = /^the optimizer was disposed; create a new one$/;
      expect(() => optimizer.step(startParameters())).toThrow(gone);
      await expect(optimizer.stepAsync(startParameters())).rejects.toThrow(gone);
      expect(() => optimizer.saveState()).toThrow(gone);
      expect(() => optimizer.loadState(state)).toThrow(gone);
      expect(() => optimizer.evaluationParameters()).toThrow(gone);
      expect(() => optimizer.resetLookahead()).toThrow(gone);
      expect(optimizer.iterations).toBe(1);
      expect(hex(...parameters)).toBe(bits);
    }
  });

  it('frees the native memory, 64 bytes per parameter: 6 hidden, 2·4 averages, the rate, one step', () => {
    const optimizer = createOptimizer([new Float32Array(100_000)]);
    optimizer.step([normals(100_000, 1)]);
    expect(optimizer.bytes).toBeGreaterThan(63 * 100_000);
    expect(optimizer.bytes).toBeLessThan(70 * 100_000);
    optimizer.dispose();
    expect(optimizer.bytes).toBe(0);
  });
});

describe('Float64Array parameters', () => {
  it.each(ARCHITECTURES)(
    'run the reference, from which float32 differs by less than 1e-4 in 50 steps: %s',
    (_, weights) => {
      // From 0: far from it, the rounding of float32 parameters themselves is larger than that of the steps.
      const start = SIZES.map((size) => new Float32Array(size));
      const single = start.map((p) => p.slice());
      const double = start.map((p) => Float64Array.from(p));
      const [a, b] = [createOptimizer(single, { weights }), createOptimizer(double, { weights })];
      for (let i = 0; i < 50; i++) {
        // The same gradients for both: what is compared is the step, not the descent.
        const gradients = start.map((p, t) => normals(p.length, 10 * i + t));
        a.step(gradients);
        b.step(gradients.map((g) => Float64Array.from(g)));
      }
      const distances = (x: FloatArray[], y: FloatArray[]): number[] =>
        x.map((p, i) => relativeDistance(p, y[i], start[i]));
      for (const d of distances(single, double)) expect(d).toBeLessThan(1e-4);
      for (const d of distances(a.evaluationParameters(), b.evaluationParameters())) expect(d).toBeLessThan(1e-4);
      expect(b.evaluationParameters()[0]).toBeInstanceOf(Float64Array);
    },
  );
});
