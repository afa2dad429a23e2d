import { beforeEach, describe, expect, it } from 'vitest';
import type { NativeStepRequest } from '../../bindings/index';
import { detached, makeFixture, optionsFor, resizable } from './setup';
import type { Fixture, Mutable } from './setup';

const LENGTHS = [5, 40];

type Request = Mutable<NativeStepRequest>;
/** What is done to a good request, the kind of error, and its whole message. */
type Case = [name: string, change: (r: Request, f: Fixture) => unknown, kind: ErrorConstructor, message: RegExp];

/** Puts a value where the types forbid it. */
const set = (key: keyof Request, value: unknown) => (r: Request) => ({ ...r, [key]: value });
const setEntry =
  (key: 'tensors' | 'parameters' | 'gradients', index: number, value: () => unknown) => (r: Request) => ({
    ...r,
    [key]: (r[key] as readonly unknown[]).map((old, i) => (i === index ? value() : old)),
  });

/** A view of `length` elements whose resizable buffer then shrank; `tracking` views follow the buffer. */
function shrunk(length: number, tracking: boolean): Float32Array {
  const buffer = resizable(4 * length, 8 * length);
  const view = tracking ? new Float32Array(buffer) : new Float32Array(buffer, 0, length);
  buffer.resize(4 * length - 4);
  return view;
}

function arrayCases(key: 'parameters' | 'gradients'): Case[] {
  const expected = `^${key}\\[1\\]: expected Float32Array of length 40, got `;
  const entry = (name: string, value: () => unknown, kind: ErrorConstructor, actual: string): Case => [
    `${key}: ${name}`,
    setEntry(key, 1, value),
    kind,
    new RegExp(`${expected}${actual}$`),
  ];
  const list = (name: string, value: unknown, kind: ErrorConstructor, message: RegExp): Case => [
    `${key}: ${name}`,
    set(key, value),
    kind,
    message,
  ];
  return [
    list('missing', undefined, TypeError, new RegExp(`^${key}: expected an array, got undefined$`)),
    list(
      'one array',
      new Float32Array(40),
      TypeError,
      new RegExp(`^${key}: expected an array, got Float32Array of length 40$`),
    ),
    list(
      'too few',
      [new Float32Array(5)],
      RangeError,
      new RegExp(`^${key}: .* length 2, one entry per tensor, got an array of length 1$`),
    ),
    entry('a hole', () => undefined, TypeError, 'undefined'),
    entry('null', () => null, TypeError, 'null'),
    entry('plain array', () => Array.from({ length: 40 }, () => 0), TypeError, 'an array of length 40'),
    entry('Float64Array', () => new Float64Array(40), TypeError, 'Float64Array of length 40'),
    entry('Int32Array', () => new Int32Array(40), TypeError, 'Int32Array of length 40'),
    entry('BigInt64Array', () => new BigInt64Array(40), TypeError, 'BigInt64Array of length 40'),
    entry('DataView', () => new DataView(new ArrayBuffer(160)), TypeError, 'a DataView'),
    entry('ArrayBuffer', () => new ArrayBuffer(160), TypeError, 'an ArrayBuffer'),
    entry('proxy of a typed array', () => new Proxy(new Float32Array(40), {}), TypeError, 'an object'),
    entry('too short', () => new Float32Array(39), RangeError, 'Float32Array of length 39'),
    entry('too long', () => new Float32Array(41), RangeError, 'Float32Array of length 41'),
    entry('empty', () => new Float32Array(0), RangeError, 'Float32Array of length 0'),
    entry('detached', () => detached(new Float32Array(40)), TypeError, 'an array whose buffer was detached.*'),
    entry('fixed view of a shrunk buffer', () => shrunk(40, false), RangeError, 'Float32Array of length 0'),
    entry('tracking view of a shrunk buffer', () => shrunk(40, true), RangeError, 'Float32Array of length 39'),
  ];
}

function numberCases(key: 'multiplier' | 'weightDecay' | 'clipNorm'): Case[] {
  const bad: [unknown, ErrorConstructor, string][] = [
    [undefined, TypeError, 'undefined'],
    ['1', TypeError, 'a string'],
    [1n, TypeError, 'a bigint'],
    [Symbol('one'), TypeError, 'a symbol'],
    [{ valueOf: () => 1 }, TypeError, 'an object'],
    [NaN, RangeError, 'NaN'],
    [-1e-9, RangeError, '-1e-09'],
    [-Infinity, RangeError, '-Infinity'],
  ];
  if (key !== 'clipNorm') bad.push([Infinity, RangeError, 'Infinity']);
  return bad.map(([value, kind, actual]) => [
    `${key}: ${actual}`,
    set(key, value),
    kind,
    new RegExp(`^${key}: expected (a number|a (finite )?number of at least 0), got ${actual}$`),
  ]);
}

const overlapping = (name: string, change: Case[1], message: RegExp): Case => [name, change, RangeError, message];

const cases: Case[] = [
  ...[undefined, null, 3, 'request', true].map((value): Case => [
    `request: ${String(value)}`,
    () => value,
    TypeError,
    /^request: expected an object, got (undefined|null|3|a string|true)$/,
  ]),
  ['tensors: missing', set('tensors', undefined), TypeError, /^tensors: expected an array, got undefined$/],
  [
    'tensors: typed array',
    set('tensors', new Int32Array(2)),
    TypeError,
    /^tensors: expected an array, got Int32Array of length 2$/,
  ],
  ['tensors: proxy', set('tensors', new Proxy([0, 1], {})), TypeError, /^tensors: expected an array, got an object$/],
  [
    'tensors: string',
    setEntry('tensors', 1, () => '1'),
    TypeError,
    /^tensors\[1\]: expected an integer, got a string$/,
  ],
  ['tensors: hole', set('tensors', new Array(2)), TypeError, /^tensors\[0\]: expected an integer, got undefined$/],
  [
    'tensors: huge and empty',
    set('tensors', new Array(2 ** 32 - 1)),
    TypeError,
    /^tensors\[0\]: expected an integer, got undefined$/,
  ],
  ...[-1, 0.5, NaN, 2 ** 53, Infinity].map((value): Case => [
    `tensors: ${value}`,
    setEntry('tensors', 0, () => value),
    RangeError,
    /^tensors\[0\]: expected an integer from 0 to 2147483647, got (-1|0\.5|NaN|9\.0072e\+15|Infinity)$/,
  ]),
  [
    'tensors: unknown',
    setEntry('tensors', 1, () => 99),
    RangeError,
    /^tensors\[1\]: expected the handle of a tensor, got 99$/,
  ],
  [
    'tensors: removed',
    (r, f) => {
      const handle = f.native.addTensor(40, -5);
      f.native.removeTensor(handle);
      return { ...r, tensors: [0, handle] };
    },
    RangeError,
    /^tensors\[1\]: expected the handle of a tensor, got 2$/,
  ],
  [
    'tensors: twice',
    set('tensors', [1, 1]),
    RangeError,
    /^tensors: expected every tensor at most once, got handle 1 twice$/,
  ],
  ...arrayCases('parameters'),
  ...arrayCases('gradients'),
  ...numberCases('multiplier'),
  ...numberCases('weightDecay'),
  ...numberCases('clipNorm'),
  ['iteration: missing', set('iteration', undefined), TypeError, /^iteration: expected a whole number, got undefined$/],
  ['iteration: text', set('iteration', '1'), TypeError, /^iteration: expected a whole number, got a string$/],
  ...[-1, 0.5, NaN, Infinity, 2 ** 53].map((value): Case => [
    `iteration: ${value}`,
    set('iteration', value),
    RangeError,
    /^iteration: expected a whole number from 0 to 2\^53 - 1, got (-1|0\.5|NaN|Infinity|9\.0072e\+15)$/,
  ]),
  overlapping(
    'parameters that share one element',
    (r) => {
      const buffer = new ArrayBuffer(4 * 44);
      return { ...r, parameters: [new Float32Array(buffer, 4 * 39, 5), new Float32Array(buffer, 0, 40)] };
    },
    /^parameters: expected arrays that share no memory, got parameters\[0\] and parameters\[1\] overlapping$/,
  ),
  overlapping(
    'a gradient that is the parameter',
    (r) => ({ ...r, gradients: [r.gradients[0], r.parameters[1]] }),
    /^gradients\[1\]: expected an array that shares no memory with what a step writes, got one overlapping parameters\[1\]$/,
  ),
  overlapping(
    'a gradient that shares one element with another parameter',
    (r) => {
      const buffer = new ArrayBuffer(4 * 44);
      return {
        ...r,
        parameters: [new Float32Array(buffer, 0, 5), r.parameters[1]],
        gradients: [r.gradients[0], new Float32Array(buffer, 4 * 4, 40)],
      };
    },
    /^gradients\[1\]: .* got one overlapping parameters\[0\]$/,
  ),
];

let fixture: Fixture;
beforeEach(() => {
  fixture = makeFixture(LENGTHS);
  fixture.native.step(fixture.request(2));
});

describe.each(['step', 'stepAsync'] as const)('%s refuses a bad request by name and changes nothing', (method) => {
  it.each(cases)('%s', (_, change, kind, message) => {
    const request = change(fixture.request(), fixture) as Request;
    const before = fixture.snapshot();
    let error: unknown;
    try {
      void fixture.native[method](request);
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
    expect(fixture.snapshot()).toEqual(before);
    // Nothing is left in progress either.
    expect(fixture.native.step(fixture.request()).skipped).toBe(0);
  });
});

describe('step with float64', () => {
  it('expects Float64Array', () => {
    const f = makeFixture([5], optionsFor(undefined, 'float64'));
    const request = { ...f.request(), gradients: [new Float32Array(5)] };
    expect(() => f.native.step(request)).toThrow(
      'gradients[0]: expected Float64Array of length 5, got Float32Array of length 5',
    );
  });
});
