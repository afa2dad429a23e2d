import type { NativeOptimizer } from '../../bindings/index';
import type { Random } from '../../lib/random';
import { detached, resizable } from './setup';

/** What a nasty value may lay hands on while the arguments of a call are being read. */
export interface Victim {
  readonly native: NativeOptimizer;
  /** Arrays that belong to the call. */
  readonly arrays: ArrayBufferView[];
  /** A well-formed request, for calls within the call. */
  readonly request: object;
  /** Where the promises of such calls go. */
  readonly pending: Promise<unknown>[];
}

export const pick = <T>(random: Random, list: readonly T[]): T => list[random.integer(list.length)];

const KINDS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

class SubclassedArray extends Float32Array {
  override get length(): number {
    return 2 ** 40;
  }
}

function throwing(thrown: unknown): never {
  throw thrown;
}

const THROWN = [new SyntaxError('thrown by the caller'), 42, 'text', undefined, null, Symbol('thrown'), 7n, {}];

/** Something that an accessor does before it answers. */
export function act(random: Random, victim: Victim): void {
  const { native, arrays, request } = victim;
  const actions: (() => unknown)[] = [
    () => throwing(pick(random, THROWN)),
    () => detached(pick(random, arrays)),
    () => native.dispose(),
    () => native.step(request as never),
    // What becomes of it is not the subject: the same arrays may be detached before it ends.
    () => victim.pending.push(native.stepAsync(request as never).catch(() => undefined)),
    () => native.addTensor(7, -5),
    () => native.removeTensor(random.integer(3)),
    () => native.importTensor(0, native.exportTensor(0)),
    () => native.bytes,
    () => Object.assign(request, { tensors: [], parameters: [] }),
    () => arrays.forEach((array) => detached(array)),
  ];
  pick(random, actions)();
}

/** A view of which the buffer has shrunk since. */
function shrunkView(random: Random, length: number): Float32Array {
  const buffer = resizable(4 * length + 4096, 1 << 16);
  const view = random.integer(2) === 0 ? new Float32Array(buffer) : new Float32Array(buffer, 4096, length);
  buffer.resize(random.integer(4 * length + 4096));
  return view;
}

/** Memory that can neither be transferred nor detached by the caller; the standard library in use has no type for it. */
function wasmMemory(): ArrayBuffer {
  type Memory = new (options: { initial: number }) => { buffer: ArrayBuffer };
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: Memory } }).WebAssembly;
  return new Memory({ initial: 1 }).buffer;
}

function typedArray(random: Random): unknown {
  const length = pick(random, [0, 1, 2, 4, 5, 6, 18, 22, 40, 41]);
  const kind = pick(random, KINDS);
  switch (random.integer(9)) {
    case 0:
      return detached(new kind(length));
    case 1:
      return shrunkView(random, length);
    case 2:
      return new kind(new SharedArrayBuffer(length * kind.BYTES_PER_ELEMENT) as never);
    case 3:
      return new kind(new ArrayBuffer(4096), kind.BYTES_PER_ELEMENT, length);
    case 4:
      return new SubclassedArray(length);
    case 5:
      return new Float32Array(length).fill(pick(random, [NaN, Infinity, 3e38, -1e-45]));
    case 6:
      return new Float64Array(length).fill(pick(random, [NaN, -Infinity, 1.7e308, 5e-324, -0]));
    case 7:
      return new Float32Array(wasmMemory(), 0, length);
    default:
      return new kind(length);
  }
}

function numberLike(random: Random): unknown {
  const numbers = [0, -0, 1, -1, 2, 3, 0.5, 40, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53];
  const others = [
    -(2 ** 53),
    5e-324,
    1.7e308,
    -33,
    33,
    1e-300,
    0n,
    -1n,
    2n ** 64n,
    '0',
    '',
    'float32',
    'x'.repeat(1e5),
  ];
  return pick(random, [...numbers, ...others]);
}

function objectLike(random: Random, victim: Victim): unknown {
  const trap = (target: object): unknown =>
    new Proxy(target, {
      get(of, key, receiver) {
        if (random.integer(3) === 0) act(random, victim);
        return Reflect.get(of, key, receiver) as unknown;
      },
    });
  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  const element = (): unknown => (act(random, victim), 0);
  const makers: (() => unknown)[] = [
    () => ({}),
    () => [],
    () => [0, 1],
    () => [1, 0],
    () => [0, 0],
    () => new Array(pick(random, [1, 2, 1000, 2 ** 32 - 1])),
    () => Object.defineProperty([0, 1], random.integer(2), { get: element }),
    () => trap([0, 1]),
    () => trap({}),
    () => trap(victim.request),
    () => trap(function () {}),
    () => revoked.proxy,
    () => ({ valueOf: () => 1, toString: () => '1' }),
    () => ({ [Symbol.toPrimitive]: () => throwing(1) }),
    () => Object.create(null) as unknown,
    () => Object.create(Float32Array.prototype) as unknown,
    () => Object.freeze([0, 1]),
    () => new DataView(new ArrayBuffer(160)),
    () => new ArrayBuffer(160),
    () => new SharedArrayBuffer(160),
    () => resizable(8, 4096),
    () => Buffer.alloc(160),
    () => new Date(NaN),
    () => /x/g,
    () => new Map([[0, 1]]),
    () => new WeakRef({}),
    () => Promise.resolve(0),
    () => new Error('not thrown'),
    () => globalThis,
    () => victim.native,
    () => Object.create(victim.native) as unknown,
    () => victim.request,
    () => Object.assign([0, 1], { length: 2, toJSON: () => throwing(1) }),
    () => () => 1,
    () => class {},
    () => victim.native.step,
    () => Symbol('symbol'),
    () => Symbol.iterator,
  ];
  return pick(random, makers)();
}

/** Any value that an argument should not have, and some that it may. */
export function nasty(random: Random, victim: Victim): unknown {
  switch (random.integer(5)) {
    case 0:
      return pick(random, [undefined, null, true, false]);
    case 1:
      return numberLike(random);
    case 2:
    case 3:
      return typedArray(random);
    default:
      return objectLike(random, victim);
  }
}

/** A copy of an object in which one to three properties, or elements of its lists, have become nasty. */
export function spoil(random: Random, good: object, victim: Victim): object {
  const spoilt = { ...good } as Record<string, unknown>;
  for (let i = pick(random, [1, 1, 1, 1, 2, 3]); i > 0; --i) {
    const key = pick(random, Object.keys(good));
    const value = (good as Record<string, unknown>)[key];
    const how = random.integer(4);
    if (how === 0) {
      const get = (): unknown => (act(random, victim), value);
      Object.defineProperty(spoilt, key, { get, enumerable: true, configurable: true });
    } else if (how === 1 && Array.isArray(value)) {
      const list = [...(value as unknown[])];
      const index = random.integer(list.length + 1);
      if (random.integer(3) !== 0) {
        list[index] = nasty(random, victim);
      } else {
        const get = (): unknown => (act(random, victim), (value as unknown[])[index]);
        Object.defineProperty(list, index, { get, configurable: true });
      }
      Object.defineProperty(spoilt, key, { value: list, enumerable: true, configurable: true });
    } else if (how === 2 && random.integer(4) === 0) {
      delete spoilt[key];
    } else {
      Object.defineProperty(spoilt, key, { value: nasty(random, victim), enumerable: true, configurable: true });
    }
  }
  return spoilt;
}
