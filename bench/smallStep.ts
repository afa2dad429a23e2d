import { createNativeOptimizer } from '../bindings/index';
import type { NativeOptimizer, NativeStepRequest } from '../bindings/index';
import { inputCount } from '../lib/optimizer/architecture';
import { Engine } from '../lib/optimizer/engine';
import type { EngineOptions, StepHyperparameters } from '../lib/optimizer/engine';
import { DEFAULT_PRESET, loadWeights } from '../lib/optimizer/presets';
import { parameterCellWeights } from '../lib/optimizer/weights';
import type { Case } from './cases';
import { gradientValues, rawContestant, startValues } from './contestants';
import { measure } from './measure';
import type { Effort } from './measure';
import { median } from './statistics';

/** Where the time of one step on arrays goes, in microseconds. */
export interface SmallStep {
  readonly parameters: number;
  readonly tensors: number;
  readonly threads: number;
  /** The whole of `optimizer.step`. */
  readonly step: number;
  /** TypeScript: biases, tensor and global RNN. */
  readonly levels: number;
  /** Into the addon and back with its argument checks: a step of as many tensors with one coordinate each. */
  readonly call: number;
  /** What the addon's step takes beyond that: the kernels, and waking other threads where it does. */
  readonly kernels: number;
}

const PLAIN: StepHyperparameters = { multiplier: 1, weightDecay: 0, clipNorm: Infinity };

/** Stands in for the addon: takes no time, says that every coordinate has advanced. */
function idleNative(lengths: readonly number[]): NativeOptimizer {
  const report = { gradientNorm: NaN, skipped: 0, lost: [] };
  let handles = 0;
  return {
    addTensor: () => handles++,
    step: (request: NativeStepRequest) => {
      for (let t = 0; t < lengths.length; t++) request.advanced[t] = lengths[t];
      return report;
    },
  } as unknown as NativeOptimizer;
}

function engineStep(measured: Case, options: EngineOptions): () => void {
  const engine = new Engine(loadWeights(DEFAULT_PRESET), options);
  const [parameters, gradients] = [startValues(measured), gradientValues(measured)];
  const updates = measured.lengths.map((length, t) => ({
    tensor: engine.addTensor(length),
    parameter: parameters[t],
    gradient: gradients[t],
  }));
  return () => void engine.step(updates, PLAIN);
}

/** The addon alone, without the levels above, on the first `limit` coordinates of every tensor. */
function nativeStep(measured: Case, threads: number, limit: number): () => void {
  const weights = loadWeights(DEFAULT_PRESET);
  const { architecture } = weights;
  const native = createNativeOptimizer({
    architecture,
    precision: 'float32',
    weights: parameterCellWeights(weights),
    threads,
  });
  const count = measured.lengths.length;
  const request: NativeStepRequest = {
    tensors: measured.lengths.map((length) => native.addTensor(Math.min(length, limit), Math.log(1e-3))),
    parameters: startValues(measured).map((values) => values.subarray(0, limit)),
    gradients: gradientValues(measured).map((values) => values.subarray(0, limit)),
    biases: new Float64Array(count * 3 * architecture.parameterHidden),
    means: new Float64Array(count * (architecture.parameterHidden + inputCount(architecture))),
    advanced: new Float64Array(count),
    iteration: 0,
    ...PLAIN,
  };
  return () => void native.step(request);
}

/** Measures a step and its parts in turns. */
export function measureSmallStep(measured: Case, threads: number, effort: Effort): SmallStep {
  const raw = rawContestant(measured, threads);
  const parts: [string, () => void][] = [
    ['step', raw.step],
    ['levels', engineStep(measured, { threads, createNative: () => idleNative(measured.lengths) })],
    ['call', nativeStep(measured, threads, 1)],
    ['native', nativeStep(measured, threads, Infinity)],
  ];
  const contestants = parts.map(([name, step]) => ({
    name,
    step,
    learned: true,
    parameters: () => [],
    dispose: () => undefined,
  }));
  const measurements = measure(contestants, effort, Infinity, () => undefined);
  raw.dispose();
  const [step, levels, call, native] = measurements.map(({ rounds }) => median(rounds) * 1000);
  return {
    parameters: measured.parameters,
    tensors: measured.lengths.length,
    threads,
    step,
    levels,
    call,
    kernels: native - call,
  };
}
