import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { NativeOptimizer } from '../../bindings/index';
import { bitsOf, detached, makeFixture, optionsFor, resizable, withAttention } from './setup';
import type { Fixture } from './setup';

/** Long enough for a step to take many turns of the event loop. */
const LONG = 1_000_000;

/** The snapshot after one synchronous step with the gradients of `seed`. */
function expected(lengths: readonly number[], seed = 1): ReturnType<Fixture['snapshot']> {
  const fixture = makeFixture(lengths);
  fixture.native.step(fixture.request(seed));
  return fixture.snapshot();
}

describe('stepAsync', () => {
  it('leaves the event loop free while 4 million parameters advance, and gives the bits of step', async () => {
    const fixture = makeFixture([4_000_000, 100]);
    let pending = true;
    let ticks = 0;
    const promise = fixture.native.stepAsync(fixture.request()).finally(() => (pending = false));
    // A step on this thread would be over before the first tick.
    while (pending) {
      await nextTurn();
      ++ticks;
    }
    const report = await promise;
    expect(ticks).toBeGreaterThan(10);

    const other = makeFixture([4_000_000, 100]);
    expect(other.native.step(other.request())).toEqual(report);
    expect(bitsOf(fixture.snapshot())).toBe(bitsOf(other.snapshot()));
  });

  it.each([
    ['float32', optionsFor()],
    ['float64', optionsFor(undefined, 'float64')],
    ['attention', optionsFor(withAttention)],
  ])('gives the bits of step over many steps, and over a mixture of both (%s)', async (_, options) => {
    const [sync, async, mixed] = [0, 1, 2].map(() => makeFixture([5, 3000, 40], options));
    for (let i = 1; i <= 20; ++i) {
      const report = sync.native.step(sync.request(i));
      expect(await async.native.stepAsync(async.request(i))).toEqual(report);
      await (i % 3 === 0 ? mixed.native.step(mixed.request(i)) : mixed.native.stepAsync(mixed.request(i)));
    }
    expect(bitsOf(async.snapshot())).toBe(bitsOf(sync.snapshot()));
    expect(bitsOf(mixed.snapshot())).toBe(bitsOf(sync.snapshot()));
  });

  it('has read everything but the parameters when it returns', async () => {
    const lengths = [LONG, 40];
    const fixture = makeFixture(lengths);
    const request = fixture.request();
    const promise = fixture.native.stepAsync(request);
    request.gradients[0].fill(NaN);
    detached(request.gradients[1]);
    Object.assign(request, { multiplier: 0, weightDecay: 9, clipNorm: 0, gradients: [] });
    (request.tensors as number[]).length = 0;
    (request.parameters as unknown[]).reverse();
    await promise;
    expect(bitsOf(fixture.snapshot())).toBe(bitsOf(expected(lengths)));
  });

  it('adds to what the parameters are when it is complete', async () => {
    const fixture = makeFixture([LONG]);
    const before = fixture.parameters[0].slice(0, 100);
    const promise = fixture.native.stepAsync({ ...fixture.request(), weightDecay: 0 });
    fixture.parameters[0].fill(1, 0, 100);
    await promise;
    const plain = makeFixture([LONG]);
    plain.native.step({ ...plain.request(), weightDecay: 0 });
    for (let i = 0; i < 100; ++i) {
      expect(fixture.parameters[0][i] - 1).toBeCloseTo(plain.parameters[0][i] - before[i], 5);
    }
  });

  it('lets several optimizers step at the same time', async () => {
    const lengths = [100_000, 7];
    const fixtures = Array.from({ length: 8 }, () => makeFixture(lengths));
    await Promise.all(fixtures.map((f) => f.native.stepAsync(f.request())));
    const bits = bitsOf(expected(lengths));
    for (const f of fixtures) expect(bitsOf(f.snapshot())).toBe(bits);
  });
});

describe('parameters that are gone when the step is complete', () => {
  const lengths = [LONG, 40, 5];

  it('are reported as lost if detached; the others move and all state advances', async () => {
    const fixture = makeFixture(lengths);
    const promise = fixture.native.stepAsync(fixture.request());
    detached(fixture.parameters[1]);
    expect((await promise).lost).toEqual([1]);
    const { states, parameters } = expected(lengths);
    expect(bitsOf(fixture.handles.map((handle) => fixture.native.exportTensor(handle)))).toBe(bitsOf(states));
    expect(bitsOf([fixture.parameters[0], fixture.parameters[2]])).toBe(bitsOf([parameters[0], parameters[2]]));
  });

  it.each<[string, boolean, number, number[]]>([
    ['a fixed view of a buffer that shrank', false, 4 * 39, [1]],
    ['a tracking view of a buffer that shrank', true, 4 * 39, [1]],
    ['a tracking view of a buffer that grew', true, 4 * 41, [1]],
    ['a fixed view of a buffer that vanished', false, 0, [1]],
  ])('are reported as lost if %s', async (_, tracking, newLength, lost) => {
    const fixture = makeFixture(lengths);
    const buffer = resizable(4 * 40, 4 * 80);
    const view = tracking ? new Float32Array(buffer) : new Float32Array(buffer, 0, 40);
    view.set(fixture.parameters[1]);
    const old = view.slice();
    const { parameters } = fixture;
    const promise = fixture.native.stepAsync({
      ...fixture.request(),
      parameters: [parameters[0], view, parameters[2]],
    });
    buffer.resize(newLength);
    expect((await promise).lost).toEqual(lost);
    const rest = Math.min(newLength / 4, 40);
    expect(new Float32Array(buffer, 0, rest)).toEqual(old.slice(0, rest));
    expect(bitsOf(fixture.snapshot().states)).toBe(bitsOf(expected(lengths).states));
  });

  it('are not lost if the buffer grew around a fixed view', async () => {
    const fixture = makeFixture(lengths);
    const buffer = resizable(4 * 40, 4 * 80);
    const view = new Float32Array(buffer, 0, 40);
    view.set(fixture.parameters[1]);
    const { parameters } = fixture;
    const promise = fixture.native.stepAsync({
      ...fixture.request(),
      parameters: [parameters[0], view, parameters[2]],
    });
    buffer.resize(4 * 80);
    expect((await promise).lost).toEqual([]);
    expect(Array.from(view)).toEqual(Array.from(expected(lengths).parameters[1]));
  });

  it('are all lost if all are detached, with attention too, and the optimizer goes on', async () => {
    const fixture = makeFixture(lengths, optionsFor(withAttention));
    const promise = fixture.native.stepAsync(fixture.request());
    fixture.parameters.forEach((p) => detached(p));
    expect((await promise).lost).toEqual([0, 1, 2]);
    expect(fixture.native.exportTensor(1).position).toBeUndefined();
    const again = { ...fixture.request(2), parameters: lengths.map((n) => new Float32Array(n)) };
    expect((await fixture.native.stepAsync(again)).lost).toEqual([]);
  });
});

describe('while a step is pending', () => {
  it('every call but the reading of bytes is refused, and the step ends as if none had been made', async () => {
    const lengths = [LONG, 40];
    const fixture = makeFixture(lengths);
    const { native } = fixture;
    const state = native.exportTensor(1);
    const promise = native.stepAsync(fixture.request());
    const calls: [keyof NativeOptimizer, ...unknown[]][] = [
      ['addTensor', 3, -5],
      ['removeTensor', 0],
      ['step', fixture.request()],
      ['stepAsync', fixture.request()],
      ['exportTensor', 0],
      ['importTensor', 1, state],
      ['resetPosition', 0],
      ['globalHidden'],
      ['setGlobalHidden', new Float32Array(4)],
      ['dispose'],
    ];
    for (const [method, ...args] of calls) {
      expect(() => Reflect.apply(native[method] as () => unknown, native, args)).toThrow(
        /^a step of this optimizer is in progress; await the promise of stepAsync first$/,
      );
    }
    expect(native.bytes).toBeGreaterThan(LONG);
    await promise;
    expect(bitsOf(fixture.snapshot())).toBe(bitsOf(expected(lengths)));
    native.dispose();
    expect(native.bytes).toBe(0);
  });

  it('the optimizer stays alive without any other reference to it', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const lengths = [LONG];
    let report: Promise<unknown>;
    let parameters: unknown;
    let weak: WeakRef<NativeOptimizer>;
    (() => {
      const fixture = makeFixture(lengths);
      weak = new WeakRef(fixture.native);
      parameters = fixture.parameters;
      report = fixture.native.stepAsync(fixture.request());
    })();
    for (let i = 0; i < 5; ++i) {
      await nextTurn();
      collect();
    }
    await report!;
    expect(bitsOf(parameters)).toBe(bitsOf(expected(lengths).parameters));
    // And only until the step is complete.
    for (let i = 0; i < 5 && weak!.deref() !== undefined; ++i) {
      await nextTurn();
      collect();
    }
    expect(weak!.deref()).toBeUndefined();
  });
});
