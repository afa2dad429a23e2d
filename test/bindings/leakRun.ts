// Repeats one use of the addon: `leakRun.ts MODE ROUNDS`, with --expose-gc. Prints the growth of the resident memory
// after the first rounds, and its peak, in MB.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createNativeOptimizer } from '../../bindings/index';
import { createNativeLanes, laneRegression, laneResiduals } from '../../bindings/lanes';
import { makeLaneFixture } from './laneRequests';
import { makeFixture, optionsFor, weightsFor, architecture } from './setup';

const [mode, rounds] = [process.argv[2], Number(process.argv[3])];
const LENGTH = 200_000;
/** Rounds before the first measurement: the allocator and V8 keep some memory for themselves. */
const WARM_UP = 50;
const collect = (globalThis as unknown as { gc: () => void }).gc;
const parameters = new Float32Array(LENGTH);
const gradients = new Float32Array(LENGTH).fill(0.1);
const request = { ...makeFixture([7]).request(), parameters: [parameters], gradients: [gradients] };

/** Calls that fail: arguments in part correct, so that something has been made by the time of the error. */
function fail(call: () => unknown): void {
  try {
    call();
  } catch {
    return;
  }
  throw new Error('no error was thrown');
}

const failing = createNativeOptimizer(optionsFor());
failing.addTensor(LENGTH, -5);

const { lanes, requests } = makeLaneFixture('float32');
/** As many tensors as a request may have: their list is the largest thing that a call copies. */
const manyTensors = new Array<number>(4096).fill(1);
/** Calls per round: each of them makes little. */
const LANE_CALLS_PER_ROUND = 10;

const modes: Record<string, () => unknown> = {
  dispose() {
    const native = createNativeOptimizer(optionsFor());
    native.addTensor(LENGTH, -5);
    native.step(request);
    native.dispose();
  },
  forget() {
    const native = createNativeOptimizer(optionsFor());
    native.addTensor(LENGTH, -5);
    native.step(request);
  },
  async disposeAsync() {
    const native = createNativeOptimizer(optionsFor());
    native.addTensor(LENGTH, -5);
    await native.stepAsync(request);
    native.dispose();
  },
  forgetAsync() {
    const native = createNativeOptimizer(optionsFor());
    native.addTensor(LENGTH, -5);
    return native.stepAsync(request);
  },
  removeTensor() {
    failing.removeTensor(failing.addTensor(LENGTH, -5));
  },
  exportImport() {
    failing.importTensor(0, failing.exportTensor(0));
  },
  errors() {
    fail(() =>
      createNativeOptimizer({ ...optionsFor(), weights: { ...weightsFor(architecture), stepSizeOffset: NaN } }),
    );
    fail(() => failing.step({ ...request, gradients: [new Float32Array(1)] }));
    fail(() => failing.stepAsync({ ...request, clipNorm: NaN }));
    fail(() => failing.addTensor(LENGTH, new Float32Array(LENGTH).fill(NaN)));
    fail(() => failing.importTensor(0, { ...failing.exportTensor(0), scale: new Float32Array(1) }));
  },
  lanes() {
    for (let i = 0; i < LANE_CALLS_PER_ROUND; ++i) {
      const own = createNativeLanes({ architecture, precision: 'float32', threads: 0 });
      own.stateEntries({ lengths: manyTensors, blocks: 1 });
      lanes.step(requests.step());
      lanes.step(requests.stepPerLane());
      lanes.stepBackward(requests.stepBackward());
      laneResiduals(requests.laneResiduals());
      laneRegression(requests.laneRegression());
    }
  },
  laneErrors() {
    for (let i = 0; i < LANE_CALLS_PER_ROUND; ++i) {
      fail(() => createNativeLanes({ architecture, precision: 'float32', threads: -1 }));
      fail(() => lanes.stateEntries({ lengths: manyTensors, blocks: 0 }));
      fail(() => lanes.step({ ...requests.step(), lengths: manyTensors }));
      fail(() => lanes.stepBackward({ ...requests.stepBackward(), lengths: manyTensors }));
      fail(() => laneResiduals({ ...requests.laneResiduals(), gradient: new Float32Array(1) }));
      fail(() => laneRegression({ ...requests.laneRegression(), gradient: new Float32Array(1) }));
    }
  },
};

/** Resident memory once everything unreachable is gone; finalizers run on later turns. */
async function resident(): Promise<number> {
  for (let i = 0; i < 4; ++i) {
    collect();
    await nextTurn();
  }
  return process.memoryUsage.rss() / 1e6;
}

let start = 0;
let peak = 0;
for (let i = 0; i < rounds; ++i) {
  if (i === WARM_UP) start = await resident();
  await modes[mode]();
  await nextTurn();
  peak = Math.max(peak, process.memoryUsage.rss() / 1e6);
}
process.stdout.write(JSON.stringify({ growth: (await resident()) - start, peak }));
