import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createNativeOptimizer, inputCount } from '../../bindings/index';
import type {
  Architecture,
  FloatArray,
  LevelWeights,
  NativeOptimizer,
  NativeOptimizerOptions,
  NativeStepRequest,
  ParameterCellWeights,
  Precision,
  TensorState,
} from '../../bindings/index';
import { createRandom } from '../../lib/random';

export const architecture: Architecture = {
  levels: 3,
  parameterHidden: 3,
  tensorHidden: 4,
  globalHidden: 4,
  timescales: 2,
  gradientProducts: true,
  relativeLogMagnitude: true,
  relativeLearningRate: true,
  extremeRateIndicator: true,
  absoluteLearningRate: true,
  gradientShortcut: true,
  attention: false,
  scaleDecayPerTimescale: false,
  inputScaling: true,
  activations: 'transcendental',
  learningRateMean: 'problem',
  maxLogLearningRate: 3,
  gradientScale: 1,
};

export const withAttention: Architecture = { ...architecture, attention: true };

/** Small random meta-parameters, the same for the same architecture. */
export function weightsFor(a: Architecture): ParameterCellWeights {
  const random = createRandom(7);
  const draw = (length: number): Float64Array => Float64Array.from({ length }, () => 0.4 * random.normal());
  const [h, s, rows] = [a.parameterHidden, a.timescales, inputCount(a) + a.parameterHidden];
  return {
    gateMatrix: draw(rows * 2 * h),
    candidateMatrix: draw(rows * h),
    initialHidden: draw(h),
    updateReadout: draw(h),
    updateShortcut: draw(s),
    attentionReadout: draw(h),
    attentionShortcut: draw(s),
    scaleDecayReadout: draw(h),
    scaleDecayBias: 2,
    inputDecayReadout: draw(h),
    inputDecayBias: 2,
    learningRateReadout: draw(h),
    learningRateBias: 0,
    learningRateMomentum: 0.5,
    stepSizeOffset: 0,
  };
}

/** The same for the levels above the parameters of a three-level architecture. */
export function levelsFor(a: Architecture): LevelWeights {
  const random = createRandom(8);
  const draw = (length: number): Float64Array => Float64Array.from({ length }, () => 0.4 * random.normal());
  const [h, t, g, seen] = [a.parameterHidden, a.tensorHidden, a.globalHidden, a.parameterHidden + inputCount(a)];
  return {
    cellBias: draw(3 * h),
    tensorToParameterMatrix: draw(t * 3 * h),
    tensorToParameterBias: draw(3 * h),
    tensorGatesMatrix: draw((seen + t) * 2 * t),
    tensorGatesBias: draw(2 * t),
    tensorCandidateMatrix: draw((seen + t) * t),
    tensorCandidateBias: draw(t),
    tensorInitialHidden: draw(t),
    globalToParameterMatrix: draw(g * 3 * h),
    globalToParameterBias: draw(3 * h),
    globalToTensorMatrix: draw(g * 3 * t),
    globalToTensorBias: draw(3 * t),
    globalGatesMatrix: draw((t + g) * 2 * g),
    globalGatesBias: draw(2 * g),
    globalCandidateMatrix: draw((t + g) * g),
    globalCandidateBias: draw(g),
    globalInitialHidden: draw(g),
  };
}

export function optionsFor(a: Architecture = architecture, precision: Precision = 'float32'): NativeOptimizerOptions {
  return { architecture: a, precision, weights: weightsFor(a), levels: levelsFor(a), threads: 0 };
}

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** An optimizer with tensors, their parameters, and well-formed requests. */
export interface Fixture {
  readonly native: NativeOptimizer;
  readonly handles: number[];
  readonly parameters: FloatArray[];
  /** A fresh request with gradients that depend on `seed`. */
  request(seed?: number): Mutable<NativeStepRequest>;
  /** Everything that a refused call must leave as it was. */
  snapshot(): { states: TensorState[]; global: FloatArray; parameters: FloatArray[] };
}

export function makeFixture(lengths: readonly number[], options: NativeOptimizerOptions = optionsFor()): Fixture {
  const native = createNativeOptimizer(options);
  const { precision } = options;
  const make = (length: number, seed: number): FloatArray => {
    const random = createRandom(seed);
    const source = { length };
    const draw = (): number => random.normal();
    return precision === 'float32' ? Float32Array.from(source, draw) : Float64Array.from(source, draw);
  };
  const handles = lengths.map((length) => native.addTensor(length, -5));
  const parameters = lengths.map((length, i) => make(length, 100 + i));
  return {
    native,
    handles,
    parameters,
    request: (seed = 1) => ({
      tensors: [...handles],
      parameters: [...parameters],
      gradients: lengths.map((length, i) => make(length, 1000 * seed + i)),
      multiplier: 1,
      weightDecay: 0.01,
      clipNorm: 100,
      iteration: seed,
    }),
    snapshot: () => ({
      states: handles.map((handle) => native.exportTensor(handle)),
      global: native.globalHidden(),
      parameters: parameters.map((p) => p.slice()),
    }),
  };
}

/** Hash of all typed arrays in a value: for the comparison of large ones, which takes `toEqual` minutes. */
export function bitsOf(value: unknown): string {
  const hash = createHash('sha256');
  const visit = (v: unknown): void => {
    if (ArrayBuffer.isView(v))
      hash.update(`${v.byteLength}:`).update(new Uint8Array(v.buffer, v.byteOffset, v.byteLength));
    else if (typeof v === 'object' && v !== null) Object.values(v).forEach(visit);
  };
  visit(value);
  return hash.digest('hex');
}

/** Detaches the buffer of an array, as a transfer to a worker does. */
export function detached<T extends ArrayBufferView>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

/** A resizable ArrayBuffer; the standard library that the package is typed against does not know them yet. */
export type ResizableBuffer = ArrayBuffer & { resize(byteLength: number): void };

export function resizable(byteLength: number, maxByteLength: number): ResizableBuffer {
  const constructor = ArrayBuffer as unknown as new (n: number, o: { maxByteLength: number }) => ResizableBuffer;
  return new constructor(byteLength, { maxByteLength });
}

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a TypeScript file of this folder in a worker thread. Node hands `--import` to the main thread only. */
export function startWorker(name: string, data: unknown): Worker {
  const file = JSON.stringify(new URL(name, import.meta.url).href);
  const source = `import('tsx/esm/api').then(({ register }) => { register(); return import(${file}); });`;
  return new Worker(source, { eval: true, workerData: data });
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs TypeScript source as a module in a process of its own, so that a crash is an outcome and not the end of the tests. */
export function runScript(
  source: string,
  flags: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  return runNode([...flags, '--import', 'tsx', '--input-type=module', '--eval', source], env);
}

/** Runs a TypeScript file of this folder in a process of its own. */
export function runFile(
  name: string,
  args: readonly string[] = [],
  flags: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  return runNode([...flags, '--import', 'tsx', fileURLToPath(new URL(name, import.meta.url)), ...args], env);
}

function runNode(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
