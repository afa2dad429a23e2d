import { createNativeOptimizer } from '../bindings/index';
import type { NativeStepRequest } from '../bindings/index';
import type { StepHyperparameters } from '../lib/optimizer/engine';
import { DEFAULT_PRESET, loadWeights } from '../lib/optimizer/presets';
import { levelWeights, parameterCellWeights } from '../lib/optimizer/weights';
import type { Case } from './cases';
import { gradientValues, rawContestant, startValues } from './contestants';
import { measure } from './measure';
import type { Effort } from './measure';
import { median } from './statistics';

/** Where the time of one step on arrays goes, in microseconds; the parts add up to the whole. */
export interface SmallStep {
  readonly parameters: number;
  readonly tensors: number;
  readonly threads: number;
  /** The whole of `optimizer.step`. */
  readonly step: number;
  /** Checks of the gradients and the lists for the addon. */
  readonly typeScript: number;
  /** Into the addon and back with its argument checks: a step of as many tensors with one coordinate each and one level. */
  readonly call: number;
  /** The tensor and the global level: the same with three levels, beyond that. */
  readonly levels: number;
  /** The parameter level beyond one coordinate per tensor, and waking other threads where it does. */
  readonly kernels: number;
}

const PLAIN: StepHyperparameters = { multiplier: 1, weightDecay: 0, clipNorm: Infinity };

/** The addon alone, on the first `limit` coordinates of every tensor. */
function nativeStep(measured: Case, threads: number, limit: number, levels: 1 | 3): () => void {
  const weights = loadWeights(DEFAULT_PRESET);
  const { architecture } = weights;
  const native = createNativeOptimizer({
    architecture: levels === 1 ? { ...architecture, levels, tensorHidden: 0, globalHidden: 0 } : architecture,
    precision: 'float32',
    weights: parameterCellWeights(weights),
    levels: levelWeights(weights),
    threads,
  });
  const request: NativeStepRequest = {
    tensors: measured.lengths.map((length) => native.addTensor(Math.min(length, limit), Math.log(1e-3))),
    parameters: startValues(measured).map((values) => values.subarray(0, limit)),
    gradients: gradientValues(measured).map((values) => values.subarray(0, limit)),
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
    ['call', nativeStep(measured, threads, 1, 1)],
    ['call and levels', nativeStep(measured, threads, 1, 3)],
    ['native', nativeStep(measured, threads, Infinity, 3)],
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
  const [step, call, callAndLevels, native] = measurements.map(({ rounds }) => median(rounds) * 1000);
  return {
    parameters: measured.parameters,
    tensors: measured.lengths.length,
    threads,
    step,
    typeScript: step - native,
    call,
    levels: callAndLevels - call,
    kernels: native - callAndLevels,
  };
}
