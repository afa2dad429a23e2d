import { beforeEach, describe, expect, it } from 'vitest';
import { createNativeOptimizer } from '../../bindings/index';
import type { Architecture, FloatArray, NativeOptimizer, TensorState } from '../../bindings/index';
import { architecture, detached, makeFixture, optionsFor, withAttention } from './setup';
import type { Fixture } from './setup';

let fixture: Fixture;
let native: NativeOptimizer;
beforeEach(() => {
  fixture = makeFixture([5, 40]);
  native = fixture.native;
  native.step(fixture.request());
});

/** Calls a method with arguments that the types forbid. */
function failure(method: keyof NativeOptimizer, ...args: unknown[]): Error {
  try {
    (native[method] as (...args: unknown[]) => unknown)(...args);
  } catch (error) {
    return error as Error;
  }
  throw new Error('no error was thrown');
}

function expectRefusal(error: Error, kind: ErrorConstructor, message: RegExp): void {
  expect(error).toBeInstanceOf(kind);
  expect(error.message).toMatch(message);
}

describe('addTensor', () => {
  it.each<[unknown, ErrorConstructor, RegExp]>([
    [undefined, TypeError, /^length: expected a number, got undefined$/],
    ['5', TypeError, /^length: expected a number, got a string$/],
    [5n, TypeError, /^length: expected a number, got a bigint$/],
    [[5], TypeError, /^length: expected a number, got an array of length 1$/],
    [0, RangeError, /^length: expected a number from 1 to 1099511627776, got 0$/],
    [-0, RangeError, /^length: expected a number from 1 to 1099511627776, got 0$/],
    [-1, RangeError, /^length: expected a number from 1 to 1099511627776, got -1$/],
    [NaN, RangeError, /^length: expected a number from 1 to 1099511627776, got NaN$/],
    [Infinity, RangeError, /^length: expected a number from 1 to 1099511627776, got Infinity$/],
    [2 ** 53, RangeError, /^length: expected a number from 1 to 1099511627776, got 9\.0072e\+15$/],
    [1.5, RangeError, /^length: expected an integer, got 1\.5$/],
  ])('refuses the length %s', (length, kind, message) => {
    const { bytes } = native;
    expectRefusal(failure('addTensor', length, -5), kind, message);
    expect(native.bytes).toBe(bytes);
  });

  it.each<[string, unknown, ErrorConstructor, RegExp]>([
    ['nothing', undefined, TypeError, /^logLearningRate: expected Float32Array of length 5, got undefined$/],
    ['a string', '-5', TypeError, /^logLearningRate: expected Float32Array of length 5, got a string$/],
    ['NaN', NaN, RangeError, /^logLearningRate: expected a number from -33 to 3, got NaN$/],
    ['4', 4, RangeError, /^logLearningRate: expected a number from -33 to 3, got 4$/],
    ['-34', -34, RangeError, /^logLearningRate: expected a number from -33 to 3, got -34$/],
    ['Float64Array', new Float64Array(5), TypeError, /^logLearningRate: .* got Float64Array of length 5$/],
    ['four of five', new Float32Array(4), RangeError, /^logLearningRate: .* got Float32Array of length 4$/],
    ['a detached array', detached(new Float32Array(5)), TypeError, /^logLearningRate: .* detached/],
    [
      'a NaN among them',
      Float32Array.of(0, 0, 0, NaN, 0),
      RangeError,
      /^logLearningRate\[3\]: expected a number from -33 to 3, got NaN$/,
    ],
    ['one too large', Float32Array.of(0, 0, 0, 0, 3.5), RangeError, /^logLearningRate\[4\]: .*, got 3\.5$/],
  ])('refuses %s as learning rate', (_, rate, kind, message) => {
    const { bytes } = native;
    expectRefusal(failure('addTensor', 5, rate), kind, message);
    expect(native.bytes).toBe(bytes);
  });

  it('reports that memory ran out, and the optimizer goes on', () => {
    // More state than 47 bits of address space, so that no machine can grant it.
    const wide: Architecture = { ...architecture, parameterHidden: 32, timescales: 5 };
    const large = createNativeOptimizer(optionsFor(wide, 'float64'));
    expect(() => large.addTensor(2 ** 40, -5)).toThrow(
      /^out of memory: the optimizer needs \d+ to \d+ bytes of state per parameter$/,
    );
    expect(large.addTensor(3, -5)).toBe(0);
  });

  it('never gives a handle twice', () => {
    const first = native.addTensor(3, -5);
    native.removeTensor(first);
    expect(native.addTensor(3, -5)).not.toBe(first);
  });
});

describe.each(['removeTensor', 'exportTensor', 'importTensor', 'resetPosition'] as const)('%s', (method) => {
  it.each<[unknown, ErrorConstructor, RegExp]>([
    [undefined, TypeError, /^tensor: expected an integer, got undefined$/],
    ['0', TypeError, /^tensor: expected an integer, got a string$/],
    [{ valueOf: () => 0 }, TypeError, /^tensor: expected an integer, got an object$/],
    [-1, RangeError, /^tensor: expected an integer from 0 to 2147483647, got -1$/],
    [0.5, RangeError, /^tensor: expected an integer from 0 to 2147483647, got 0\.5$/],
    [NaN, RangeError, /^tensor: expected an integer from 0 to 2147483647, got NaN$/],
    [2 ** 53, RangeError, /^tensor: expected an integer from 0 to 2147483647, got 9\.0072e\+15$/],
    [99, RangeError, /^tensor: expected the handle of a tensor, got 99$/],
  ])('refuses the handle %s', (handle, kind, message) => {
    const before = fixture.snapshot();
    expectRefusal(failure(method, handle, before.states[0]), kind, message);
    expect(fixture.snapshot()).toEqual(before);
  });

  it('refuses the handle of a removed tensor', () => {
    const handle = native.addTensor(5, -5);
    native.removeTensor(handle);
    expectRefusal(
      failure(method, handle, native.exportTensor(0)),
      RangeError,
      /^tensor: expected the handle of a tensor, got 2$/,
    );
  });
});

type Field = keyof TensorState;

describe('importTensor', () => {
  const lengths: [Field, number][] = [
    ['hidden', 15],
    ['momentum', 10],
    ['scale', 10],
    ['logLearningRate', 5],
    ['tensorHidden', 4],
  ];
  const state = (change: Partial<Record<Field, unknown>>): unknown => ({ ...native.exportTensor(0), ...change });

  function refuses(value: unknown, kind: ErrorConstructor, message: RegExp): void {
    const before = fixture.snapshot();
    expectRefusal(failure('importTensor', 0, value), kind, message);
    expect(fixture.snapshot()).toEqual(before);
  }

  it.each([undefined, null, 3, 'state'])('refuses %s as state', (value) => {
    refuses(value, TypeError, /^state: expected an object, got (undefined|null|3|a string)$/);
  });

  it.each(lengths)('refuses %s of another kind, length or memory', (key, length) => {
    const expected = `^state\\.${key}: expected Float32Array of length ${length}, got `;
    refuses(state({ [key]: undefined }), TypeError, new RegExp(`${expected}undefined$`));
    refuses(
      state({ [key]: new Float64Array(length) }),
      TypeError,
      new RegExp(`${expected}Float64Array of length ${length}$`),
    );
    refuses(
      state({ [key]: Array.from(new Float32Array(length)) }),
      TypeError,
      new RegExp(`${expected}an array of length ${length}$`),
    );
    refuses(
      state({ [key]: new Float32Array(length - 1) }),
      RangeError,
      new RegExp(`${expected}Float32Array of length ${length - 1}$`),
    );
    refuses(state({ [key]: detached(new Float32Array(length)) }), TypeError, new RegExp(`${expected}.*detached`));
  });

  it.each<[Field, number, number]>([
    ['hidden', 2e6, 15],
    ['momentum', -2e18, 10],
    ['scale', -1e-9, 10],
    ['scale', 2e36, 10],
    ['logLearningRate', 3.5, 5],
    ['logLearningRate', -34, 5],
    ['tensorHidden', 2e6, 4],
  ])('refuses %s with the entry %d', (key, value, length) => {
    const last = (v: number): FloatArray => new Float32Array(length).fill(v, length - 1);
    for (const v of [value, NaN, Infinity, -Infinity]) {
      refuses(
        state({ [key]: last(v) }),
        RangeError,
        new RegExp(`^state\\.${key}\\[${length - 1}\\]: expected a number from .* to .*, got `),
      );
    }
  });

  it('refuses a position without attention', () => {
    refuses(
      state({ position: new Float32Array(5) }),
      TypeError,
      /^state\.position: expected undefined, since this architecture has no attention, got Float32Array of length 5$/,
    );
  });

  it('refuses a position of another length or kind with attention', () => {
    fixture = makeFixture([5], optionsFor(withAttention));
    native = fixture.native;
    native.step(fixture.request());
    refuses(
      state({ position: new Float32Array(4) }),
      RangeError,
      /^state\.position: expected Float32Array of length 5, got Float32Array of length 4$/,
    );
    refuses(state({ position: new Float64Array(5) }), TypeError, /^state\.position: .* got Float64Array of length 5$/);
  });

  it('takes what exportTensor gave, and goes on with the same bits', () => {
    for (const a of [optionsFor(), optionsFor(withAttention), optionsFor(undefined, 'float64')]) {
      const [first, second] = [makeFixture([5, 40], a), makeFixture([5, 40], a)];
      first.native.step(first.request(1));
      first.handles.forEach((handle, i) => {
        second.native.importTensor(handle, first.native.exportTensor(handle));
        second.parameters[i].set(first.parameters[i]);
      });
      second.native.setGlobalHidden(first.native.globalHidden());
      first.native.step(first.request(2));
      second.native.step(second.request(2));
      expect(second.snapshot()).toEqual(first.snapshot());
    }
  });
});

describe('setGlobalHidden', () => {
  it.each<[string, unknown, ErrorConstructor, RegExp]>([
    ['nothing', undefined, TypeError, /^globalHidden: expected Float32Array of length 4, got undefined$/],
    ['a list', [0, 0, 0, 0], TypeError, /^globalHidden: .* got an array of length 4$/],
    ['Float64Array', new Float64Array(4), TypeError, /^globalHidden: .* got Float64Array of length 4$/],
    ['three of four', new Float32Array(3), RangeError, /^globalHidden: .* got Float32Array of length 3$/],
    ['a detached array', detached(new Float32Array(4)), TypeError, /^globalHidden: .* detached/],
    ['NaN', Float32Array.of(0, NaN, 0, 0), RangeError, /^globalHidden\[1\]: expected a number from .*, got NaN$/],
    ['a huge number', Float32Array.of(0, 0, 0, 2e6), RangeError, /^globalHidden\[3\]: .* got 2000000$/],
  ])('refuses %s', (_, value, kind, message) => {
    const before = fixture.snapshot();
    expectRefusal(failure('setGlobalHidden', value), kind, message);
    expect(fixture.snapshot()).toEqual(before);
  });
});

describe('a disposed optimizer', () => {
  it('refuses everything but a second dispose, and holds no memory', () => {
    const request = fixture.request();
    const state = native.exportTensor(0);
    expect(native.bytes).toBeGreaterThan(0);
    native.dispose();
    native.dispose();
    expect(native.bytes).toBe(0);
    for (const [method, ...args] of [
      ['addTensor', 5, -5],
      ['removeTensor', 0],
      ['step', request],
      ['stepAsync', request],
      ['exportTensor', 0],
      ['importTensor', 0, state],
      ['resetPosition', 0],
      ['globalHidden'],
      ['setGlobalHidden', new Float32Array(4)],
    ] as [keyof NativeOptimizer, ...unknown[]][]) {
      expectRefusal(failure(method, ...args), Error, /^the optimizer was disposed; create a new one$/);
    }
  });
});

describe('accessors that run while the arguments are read', () => {
  it('cannot step, change or dispose the optimizer', () => {
    const request = fixture.request();
    const before = fixture.snapshot();
    const calls: (() => unknown)[] = [
      () => native.step(request),
      () => native.stepAsync(request),
      () => native.addTensor(3, -5),
      () => native.removeTensor(0),
      () => native.exportTensor(0),
      () => native.dispose(),
    ];
    for (const call of calls) {
      const nested = {
        ...request,
        get multiplier() {
          return call() as number;
        },
      };
      expectRefusal(
        failure('step', nested),
        Error,
        /^a step of this optimizer is in progress; await the promise of stepAsync first$/,
      );
    }
    expect(fixture.snapshot()).toEqual(before);
  });

  it('cannot pull the memory from under a step', () => {
    const before = fixture.snapshot();
    const request = fixture.request();
    const gradient = request.gradients[1];
    const late = {
      ...request,
      get clipNorm() {
        detached(gradient);
        return 1;
      },
    };
    expectRefusal(
      failure('step', late),
      TypeError,
      /^gradients\[1\]: expected Float32Array of length 40, got .*detached/,
    );
    expect(fixture.snapshot()).toEqual(before);
  });
});
