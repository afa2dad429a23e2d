// Calls the addon with malformed arguments: `fuzzRun.ts SEED COUNT`. Prints what came of it as JSON. A process of its
// own, so that a crash is seen by its signal; every case depends on its seed and number only.
import { createNativeOptimizer } from '../../bindings/index';
import type { NativeOptimizer } from '../../bindings/index';
import { createNativeLanes } from '../../bindings/lanes';
import { createRandom } from '../../lib/random';
import type { Random } from '../../lib/random';
import { LANE_CALLS, makeLaneFixture } from './laneRequests';
import type { LaneFixture } from './laneRequests';
import { nasty, pick, spoil } from './nasty';
import type { Victim } from './nasty';
import { architecture, makeFixture, optionsFor, withAttention } from './setup';
import type { Fixture } from './setup';

const [seed, count] = process.argv.slice(2).map(Number);
const LENGTHS = [5, 40];
/** Asynchronous steps that have not ended. */
const pending: Promise<unknown>[] = [];
/** Cases that share one optimizer, unless one of them disposes it. */
const SHARED = 50;

const METHODS = [
  'constructor',
  'addTensor',
  'removeTensor',
  'step',
  'step',
  'stepAsync',
  'stepAsync',
  'exportTensor',
  'importTensor',
  'importTensor',
  'resetPosition',
  'setGlobalHidden',
  'receiver',
  'lanesConstructor',
  'lanes',
  'lanes',
  'lanes',
] as const;

const freshFixture = (i: number): Fixture => {
  const options = optionsFor(i % 2 === 0 ? architecture : withAttention, i % 3 === 0 ? 'float64' : 'float32');
  return makeFixture(LENGTHS, { ...options, stateBits: i % 3 === 1 ? 16 : 32 });
};

/** Lanes have no state of their own, so that one of each precision serves all cases. */
const laneFixtures = [makeLaneFixture('float32'), makeLaneFixture('float64')];

/** A call about lanes with a request that is spoilt, or with anything else. */
function makeLaneCall(random: Random, native: NativeOptimizer, { requests, call }: LaneFixture): () => unknown {
  const name = pick(random, LANE_CALLS);
  const request = requests[name]();
  const arrays = Object.values(request).filter((v): v is Float32Array => ArrayBuffer.isView(v));
  const victim: Victim = { native, arrays, request: makeFixture([1]).request(), pending };
  const spoilt = random.integer(8) === 0 ? nasty(random, victim) : spoil(random, request, victim);
  return () => call(name, spoilt);
}

/** Lengths that a machine might grant would fill its memory; those that none can grant stay. */
const affordable = (value: unknown): unknown =>
  typeof value === 'number' && value > 1e4 && value < 2 ** 41 ? 2 ** 41 : value;

function makeCall(random: Random, fixture: Fixture): () => unknown {
  const { native } = fixture;
  // Copies, since the cases detach what they can lay hands on.
  const request = { ...fixture.request(), parameters: fixture.parameters.map((p) => p.slice()) };
  const views = Object.values(request)
    .flat()
    .filter((v): v is Float32Array => ArrayBuffer.isView(v));
  const victim: Victim = { native, arrays: views, request, pending };
  const method = pick(random, METHODS);
  const apply =
    (name: keyof NativeOptimizer, ...args: unknown[]) =>
    () => {
      // A nasty value in place of an argument, in some of the cases, and sometimes one argument too few.
      if (random.integer(8) === 0) args[random.integer(args.length)] = nasty(random, victim);
      if (random.integer(20) === 0) args.pop();
      if (name === 'addTensor') args[0] = affordable(args[0]);
      return Reflect.apply(native[name] as () => unknown, native, args);
    };
  switch (method) {
    case 'constructor': {
      const good = optionsFor();
      const options = spoil(random, good, victim);
      const part = pick(random, ['architecture', 'weights', 'levels'] as const);
      if (random.integer(2) === 0) {
        Object.defineProperty(options, part, { value: spoil(random, good[part], victim), enumerable: true });
      }
      return () => createNativeOptimizer(options as never);
    }
    case 'addTensor':
      return apply(method, nasty(random, victim), random.integer(2) === 0 ? -5 : nasty(random, victim));
    case 'step':
    case 'stepAsync':
      return apply(method, spoil(random, request, victim));
    case 'importTensor':
      return () => {
        const state = native.exportTensor(random.integer(2));
        return apply(method, random.integer(2), spoil(random, state, victim))();
      };
    case 'setGlobalHidden':
    case 'removeTensor':
    case 'exportTensor':
    case 'resetPosition':
      return apply(method, nasty(random, victim));
    case 'lanesConstructor': {
      const good = { architecture, precision: 'float32', threads: 1 };
      const options = spoil(random, good, victim);
      if (random.integer(2) === 0) {
        const value = spoil(random, good.architecture, victim);
        Object.defineProperty(options, 'architecture', { value, enumerable: true });
      }
      return () => createNativeLanes(options as never);
    }
    case 'lanes':
      return makeLaneCall(random, native, pick(random, laneFixtures));
    case 'receiver': {
      const prototype = Object.getPrototypeOf(pick(random, [native, laneFixtures[0].lanes])) as object;
      const name = pick(random, Object.getOwnPropertyNames(prototype));
      const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!;
      const receiver = nasty(random, victim);
      return () =>
        Reflect.apply((descriptor.value ?? descriptor.get) as () => unknown, receiver, [
          spoil(random, request, victim),
        ]);
    }
  }
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.constructor.name : 'not an Error';
}

/** Parameters and state after two steps of new tensors. */
function twoSteps(of: NativeOptimizer, reference: Fixture): string {
  of.setGlobalHidden(reference.native.globalHidden());
  const handles = LENGTHS.map((length) => of.addTensor(length, -5));
  const parameters = reference.parameters.map((p) => p.slice());
  for (const step of [1, 2]) of.step({ ...reference.request(step), tensors: handles, parameters });
  return JSON.stringify([parameters, handles.map((handle) => of.exportTensor(handle))].map((x) => x.map((y) => y)));
}

/** What every call about lanes writes. */
function laneResults(): string {
  const written = [makeLaneFixture('float32'), makeLaneFixture('float64')].map(({ requests, call }) =>
    LANE_CALLS.map((name) => {
      const request = requests[name]();
      return [call(name, request), request];
    }),
  );
  return JSON.stringify(written);
}

const outcomes: Record<string, number> = {};
const add = (name: string): void => void (outcomes[name] = (outcomes[name] ?? 0) + 1);
const before = twoSteps(freshFixture(0).native, freshFixture(0));
const lanesBefore = laneResults();
const survivors: { native: NativeOptimizer; kind: number }[] = [];
let fixture = freshFixture(0);

for (let i = 0; i < count; ++i) {
  if (i % SHARED === 0 || fixture.native.bytes === 0) {
    await Promise.all(pending.splice(0));
    fixture = freshFixture((i / SHARED) | 0);
    survivors.push({ native: fixture.native, kind: (i / SHARED) | 0 });
    if (i % 1000 === 0) process.stderr.write(`case ${i}\n`);
  }
  const random = createRandom(seed, i);
  try {
    const result = makeCall(random, fixture)();
    add(result instanceof Promise ? 'promise' : 'success');
    if (result instanceof Promise) {
      const settled = result.then(
        () => add('resolved'),
        (error: unknown) => add(`rejected: ${nameOf(error)}`),
      );
      // Some steps stay pending while the next cases go on.
      if (random.integer(4) === 0) pending.push(settled);
      else await settled;
    }
  } catch (error) {
    add(nameOf(error));
  }
  if (pending.length > 0 && random.integer(4) === 0) await Promise.all(pending.splice(0));
}
await Promise.all(pending);

let equal = before === twoSteps(freshFixture(0).native, freshFixture(0)) && lanesBefore === laneResults();
let compared = 0;
for (const { native, kind } of survivors) {
  if (native.bytes === 0) continue;
  equal &&= twoSteps(native, freshFixture(kind)) === twoSteps(freshFixture(kind).native, freshFixture(kind));
  ++compared;
}
process.stdout.write(JSON.stringify({ outcomes, equal, compared }));
