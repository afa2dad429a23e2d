import type { Architecture } from '../optimizer/architecture';
import { cosineRate, MetaAdam } from './metaOptimizers';
import type { PesOptions } from './pes';
import { MetaWorkers } from './workers';

export interface MetaTrainingOptions {
  readonly architecture: Architecture;
  /** Where the meta-parameters start. */
  readonly start: Float64Array;
  readonly seed: number;
  /** Wall-clock bound; the schedules run over it. */
  readonly minutes: number;
  readonly threads: number;
  /** Peak rate of Adam and its end as a share of the peak. */
  readonly rate: number;
  readonly finalRate: number;
  /** Longest horizon at the beginning, and from two thirds of the run on. */
  readonly horizonGrowth: readonly [from: number, to: number];
  readonly pes: PesOptions;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: MetaTrainingProgress) => void | Promise<void>;
}

export interface MetaTrainingProgress {
  readonly iteration: number;
  /** Share of the time that is over, 0 to 1. */
  readonly progress: number;
  readonly seconds: number;
  /** Problem steps so far. */
  readonly innerSteps: number;
  readonly rate: number;
  readonly gradientNorm: number;
  readonly longestHorizon: number;
  /** Mean meta-loss per family, this iteration. */
  readonly losses: Readonly<Record<string, number>>;
  readonly failures: number;
  /** The meta-parameters, and their exponential moving average, which is what ships. */
  readonly flat: Float64Array;
  readonly average: Float64Array;
}

/** Decay of the moving average of the meta-parameters. */
const AVERAGE_DECAY = 0.99;
const CLIP_NORM = 1;

/** Meta-trains by persistent evolution strategies; returns the moving average of the meta-parameters. */
export async function metaTrain(options: MetaTrainingOptions): Promise<Float64Array> {
  const flat = options.start.slice();
  const average = flat.slice();
  const adam = new MetaAdam(flat.length);
  const workers = new MetaWorkers(options);
  const started = performance.now();
  let innerSteps = 0;
  try {
    for (let iteration = 0; ; iteration++) {
      options.signal?.throwIfAborted();
      const seconds = (performance.now() - started) / 1000;
      const progress = seconds / (60 * options.minutes);
      if (progress >= 1) return average;
      const [from, to] = options.horizonGrowth;
      const longestHorizon = Math.exp(Math.log(from) + Math.log(to / from) * Math.min(1, 1.5 * progress));
      const pes: PesOptions = { ...options.pes, horizon: [options.pes.horizon[0], longestHorizon] };
      const results = await workers.run(flat, iteration, pes);
      const gradient = new Float64Array(flat.length);
      for (const result of results) {
        innerSteps += result.steps;
        result.gradient.forEach((g, i) => (gradient[i] += g / results.length));
      }
      const rate = cosineRate(options.rate, options.finalRate, progress);
      const gradientNorm = adam.step(flat, gradient, rate, CLIP_NORM);
      const decay = iteration < 50 ? 0 : AVERAGE_DECAY;
      for (let i = 0; i < flat.length; i++) average[i] = decay * average[i] + (1 - decay) * flat[i];
      await options.onProgress?.({
        iteration,
        progress,
        seconds,
        innerSteps,
        rate,
        gradientNorm,
        longestHorizon,
        losses: Object.fromEntries(results.map(({ name, loss }) => [name, loss])),
        failures: results.reduce((sum, r) => sum + r.failures, 0),
        flat,
        average,
      });
    }
  } finally {
    await workers.close();
  }
}
