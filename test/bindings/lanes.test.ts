import { describe, expect, it } from 'vitest';
import { createNativeLanes } from '../../bindings/lanes';
import type { NativeLanes, NativeLanesOptions } from '../../bindings/lanes';
import type { FloatArray } from '../../bindings/types';
import { LANE_CALLS, LANE_LENGTHS, makeLaneFixture } from './laneRequests';
import type { LaneCall } from './laneRequests';
import { architecture, bitsOf, detached, makeFixture, resizable } from './setup';

type AnyRequest = Record<string, unknown>;
type TypedArray = FloatArray | Int32Array;
type Constructor = new (buffer: ArrayBuffer, offset?: number, length?: number) => TypedArray;

const isArray = (value: unknown): value is TypedArray => ArrayBuffer.isView(value);
const constructorOf = (array: TypedArray): Constructor => array.constructor as Constructor;

/** The same values in a buffer of their own, as the given part of it. */
function within(array: TypedArray, buffer: ArrayBuffer, offset: number, length = array.length): TypedArray {
  const view = new (constructorOf(array))(buffer, offset, length);
  view.set(array.subarray(0, length));
  return view;
}

/** Arrays of which the first is written to and shares memory with the second, by call. */
const WRITTEN: Partial<Record<LaneCall, readonly string[]>> = {
  step: ['next'],
  stepPerLane: ['next'],
  stepBackward: ['adjoint', 'gradientAdjoint', 'weightsAdjoint'],
  laneResiduals: ['value', 'gradient'],
  laneRegression: ['value', 'gradient'],
};

describe.each(['float32', 'float64'] as const)('calls about lanes in %s', (precision) => {
  const { requests, call } = makeLaneFixture(precision);
  const fresh = (name: LaneCall): AnyRequest => ({ ...requests[name]() });

  /** Calls with one argument changed: the error names it, and nothing was written. */
  function expectRefusal(
    name: LaneCall,
    key: string,
    value: unknown,
    kind: 'TypeError' | 'RangeError',
    text = '',
  ): void {
    const request = { ...fresh(name), [key]: value };
    const others = { ...request, [key]: null };
    const before = bitsOf(others);
    let error: unknown;
    try {
      call(name, request);
    } catch (e) {
      error = e;
    }
    expect((error as Error | undefined)?.constructor.name, `${name}, ${key}`).toBe(kind);
    expect((error as Error).message, name).toMatch(
      new RegExp(`^request\\.${key}(\\[\\d+\\])?: expected .*, got .*${text}`, 's'),
    );
    expect(bitsOf(others), `${name}, ${key}`).toBe(before);
  }

  const arrayCases = LANE_CALLS.flatMap((name) =>
    Object.entries(fresh(name))
      .filter(([, value]) => isArray(value))
      .map(([key, value]) => [name, key, value as TypedArray] as const),
  );
  const integerCases = LANE_CALLS.flatMap((name) =>
    Object.entries(fresh(name))
      .filter(([, value]) => typeof value === 'number')
      .map(([key]) => [name, key] as const),
  );

  it.each(LANE_CALLS)('%s takes its well-formed request', (name) => {
    expect(() => call(name, fresh(name))).not.toThrow();
  });

  it.each(LANE_CALLS)('%s refuses what is no request', (name) => {
    for (const value of [undefined, null, 3, 'text', Symbol('x')]) {
      expect(() => call(name, value)).toThrow(/^request: expected an object, got /);
    }
  });

  it.each(arrayCases)('%s refuses another length of %s', (name, key, array) => {
    const make = array.constructor as new (n: number) => TypedArray;
    for (const length of [0, array.length - 1, array.length + 1]) {
      expectRefusal(name, key, new make(length), 'RangeError', `of length ${length}`);
    }
  });

  it.each(arrayCases)('%s refuses another type of %s', (name, key, array) => {
    const others = [Float32Array, Float64Array, Int32Array, Uint32Array, Int8Array];
    // These arrays decide what the type of all is.
    const decides = { laneResiduals: 'x', laneRegression: 'parameters' }[name as string] === key;
    for (const other of others.filter((make) => !(array instanceof make))) {
      if (decides && (other === Float32Array || other === Float64Array)) continue;
      expectRefusal(name, key, new other(array.length), 'TypeError');
    }
    for (const value of [undefined, 7, 'text', Array.from(array), array.buffer, new DataView(array.buffer)]) {
      expectRefusal(name, key, value, 'TypeError');
    }
  });

  it.each(arrayCases)('%s refuses a detached or shrunk buffer of %s', (name, key, array) => {
    expectRefusal(name, key, detached(array.slice()), 'TypeError', '.*detached');
    const buffer = resizable(array.byteLength, 2 * array.byteLength);
    const shrunk = within(array, buffer, 0);
    buffer.resize(array.byteLength - array.BYTES_PER_ELEMENT);
    expectRefusal(name, key, shrunk, 'RangeError', 'of length 0');
  });

  it.each(integerCases)('%s refuses a %s that is no number of this size', (name, key) => {
    for (const value of [-1, 0.5, NaN, Infinity, 2 ** 31, 2 ** 53]) expectRefusal(name, key, value, 'RangeError');
    if (key !== 'threads') expectRefusal(name, key, 0, 'RangeError');
    for (const value of [undefined, null, '3', 3n, [3], {}]) expectRefusal(name, key, value, 'TypeError');
  });

  it.each(['step', 'stepBackward', 'stateEntries'] as const)('%s refuses lengths that are no tensors', (name) => {
    for (const value of [undefined, 3, 'text', Float32Array.of(3, 2), { length: 2 }, ['3', 2], [3, null]]) {
      expectRefusal(name, 'lengths', value, 'TypeError');
    }
    const many = new Array<number>(4097).fill(1);
    for (const value of [[], [3, 0], [-1, 2], [1.5], [NaN], [2 ** 20 + 1], [2 ** 20, 1], many]) {
      expectRefusal(name, 'lengths', value, 'RangeError');
    }
  });

  it.each(LANE_CALLS.filter((name) => name in WRITTEN))('%s refuses to write into memory that it reads', (name) => {
    for (const written of WRITTEN[name]!) {
      for (const [key, other] of Object.entries(fresh(name))) {
        if (!isArray(other) || key === written) continue;
        const own = fresh(name)[written] as TypedArray;
        const buffer = new ArrayBuffer(own.byteLength + other.byteLength);
        const pairAt = (offset: number) => ({
          [written]: within(own, buffer, 0),
          [key]: within(other, buffer, offset),
        });
        // The last elements of one are the first of the other.
        const shared = pairAt(own.byteLength - 8);
        const request = { ...fresh(name), ...shared };
        const before = bitsOf(request);
        const pair = `request\\.(${written}|${key})`;
        expect(() => call(name, request), `${written}, ${key}`).toThrow(
          new RegExp(`^${pair}: expected memory of its own, got memory shared with ${pair}$`),
        );
        expect(bitsOf(request)).toBe(before);
        // Neighbours in one buffer share nothing.
        expect(() => call(name, { ...fresh(name), ...pairAt(own.byteLength) })).not.toThrow();
      }
    }
  });

  it('step takes its state for the new one', () => {
    const expected = requests.step();
    call('step', expected);
    const state = expected.state.slice();
    call('step', { ...expected, state, next: state });
    expect(state).toEqual(expected.next);
  });

  it('steps with weights per lane refuse weights that are none, and the other way round', () => {
    expectRefusal('step', 'weights', requests.stepPerLane().weights, 'RangeError');
    expectRefusal('stepPerLane', 'weights', requests.step().weights, 'RangeError');
    for (const value of [undefined, 0, 'true']) expectRefusal('step', 'weightsPerLane', value, 'TypeError');
  });

  it('regression refuses sample numbers, losses and counts that its data have not', () => {
    for (const bad of [-1, 4, 2 ** 31 - 1, -(2 ** 31)]) {
      expectRefusal('laneRegression', 'indices', Int32Array.of(0, 1, bad, 3), 'RangeError', String(bad));
    }
    const { loss, indices } = requests.laneRegression();
    for (const bad of [-1, 3, 0.5, NaN]) {
      expectRefusal('laneRegression', 'loss', loss.slice().fill(bad, loss.length - 1), 'RangeError');
    }
    // Squared error reads its targets in another way.
    expectRefusal('laneRegression', 'loss', loss.slice().fill(2, 1), 'RangeError', '\\d+ lanes');
    expectRefusal('laneRegression', 'outputs', 65, 'RangeError');
    expect(indices).toHaveLength(4);
    expect(() => call('laneRegression', { ...fresh('laneRegression'), indices: null, count: 5 })).toThrow(
      /^request\.count: expected at most 4, got 5$/,
    );
  });

  it('the value alone is computed without a gradient', () => {
    for (const name of ['laneResiduals', 'laneRegression'] as const) {
      const [full, alone] = [requests[name](), { ...fresh(name), gradient: null as unknown }];
      const same = { ...full, value: full.value.slice(), gradient: null };
      call(name, full);
      call(name, same);
      expect(same.value).toEqual(full.value);
      expect(() => call(name, alone)).not.toThrow();
    }
  });

  it('methods refuse a receiver that is no NativeLanes', () => {
    const { lanes } = makeLaneFixture(precision);
    const { step } = Object.getPrototypeOf(lanes) as NativeLanes;
    for (const receiver of [undefined, {}, Object.getPrototypeOf(lanes), makeFixture([2]).native] as unknown[]) {
      expect(() => Reflect.apply(step, receiver, [fresh('step')])).toThrow(Error);
    }
  });
});

describe('construction of lanes', () => {
  const good: NativeLanesOptions = { architecture, precision: 'float32', threads: 1 };
  const make = (change: object) => () => createNativeLanes({ ...good, ...change });

  it.each([
    [{ architecture: undefined }, /^options\.architecture: expected an object, got undefined$/],
    [{ architecture: { ...architecture, levels: 4 } }, /^options\.architecture\.levels: expected/],
    [{ architecture: { ...architecture, tensorHidden: 257 } }, /^options\.architecture\.tensorHidden: expected/],
    [{ architecture: { ...architecture, globalHidden: 0 } }, /^options\.architecture\.globalHidden: expected/],
    [{ architecture: { ...architecture, parameterHidden: 33 } }, /^options\.architecture\.parameterHidden: expected/],
    [{ architecture: { ...architecture, timescales: 6 } }, /^options\.architecture\.timescales: expected/],
    [{ architecture: { ...architecture, gradientShortcut: 1 } }, /^options\.architecture\.gradientShortcut: expected/],
    [{ precision: 'float16' }, /^options\.precision: expected 'float32' or 'float64', got 'float16'$/],
    [{ precision: 32 }, /^options\.precision: expected a string, got 32$/],
    [{ threads: -1 }, /^options\.threads: expected an integer from 0 to 256, got -1$/],
    [{ threads: undefined }, /^options\.threads: expected an integer, got undefined$/],
  ])('refuses %j by name', (change, message) => {
    expect(make(change)).toThrow(message);
  });

  it('takes the largest cells: 256 hidden units of the upper levels, 32 of the lowest', () => {
    const largest = { ...architecture, parameterHidden: 32, tensorHidden: 256, globalHidden: 256, timescales: 5 };
    const lanes = createNativeLanes({ ...good, architecture: largest });
    const layout = { lengths: LANE_LENGTHS, blocks: 1 };
    const state = new Float32Array(lanes.stateEntries(layout) * lanes.width);
    const weights = new Float32Array(lanes.metaParameters).fill(0.01);
    lanes.step({
      ...layout,
      weights,
      weightsPerLane: false,
      state,
      gradient: new Float32Array(5 * lanes.width).fill(1),
      next: state,
    });
    expect(state.every(Number.isFinite)).toBe(true);
    expect(state.some((v) => v !== 0)).toBe(true);
  });
});
