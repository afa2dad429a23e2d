import { initialWeights } from '../optimizer/initialWeights';
import type { Checkpoint } from './checkpoint';
import { validateMetaTrainingConfig } from './config';
import type { MetaTrainingConfig } from './config';
import { flatten } from './flat';
import { cosineRate, MetaAdam } from './metaOptimizers';
import type { PesOptions } from './pes';
import { MetaWorkers } from './workers';

export interface MetaTrainingOptions {
  readonly config: MetaTrainingConfig;
  /** Where the meta-parameters start; default: `initialWeights` of the configuration's seed. */
  readonly start?: Float64Array;
  /** Continues this run; its configuration and meta-parameters take the place of `config` and `start`. */
  readonly resume?: Checkpoint;
  readonly threads: number;
  readonly signal?: AbortSignal;
  /** Called after every iteration; training waits for it. */
  readonly onProgress?: (progress: MetaTrainingProgress) => void | Promise<void>;
}

export interface MetaTrainingProgress {
  /** Iterations done. */
  readonly iteration: number;
  readonly iterations: number;
  /** Wall time and problem steps so far, with those before a resumption. */
  readonly seconds: number;
  readonly innerSteps: number;
  readonly rate: number;
  readonly gradientNorm: number;
  readonly longestHorizon: number;
  /** Mean meta-loss per family, this iteration. */
  readonly losses: Readonly<Record<string, number>>;
  /** Trajectories given up, this iteration. */
  readonly failures: number;
  /** The meta-parameters, and their exponential moving average, which is what ships. */
  readonly flat: Float64Array;
  readonly average: Float64Array;
  /** The run as it is now. */
  checkpoint(): Promise<Checkpoint>;
}

/** The moving average follows the meta-parameters themselves over this many iterations. */
const AVERAGE_FROM = 50;

/** PES options of an iteration: the longest horizon grows geometrically over the first two thirds of the run. */
function pesAt({ pes, horizonGrowth: [from, to], iterations }: MetaTrainingConfig, iteration: number): PesOptions {
  const longest = Math.exp(Math.log(from) + Math.log(to / from) * Math.min(1, (1.5 * iteration) / iterations));
  return { ...pes, horizon: [pes.horizon[0], longest] };
}

/**
 * Meta-trains by persistent evolution strategies. The result depends on the configuration and the start alone: not on the
 * number of threads, nor on how often the run was interrupted and resumed.
 * @returns the moving average of the meta-parameters
 * @throws the signal's reason when aborted
 */
export async function metaTrain(options: MetaTrainingOptions): Promise<Float64Array> {
  const { resume } = options;
  const config = validateMetaTrainingConfig(resume?.config ?? options.config);
  const flat = (resume?.flat ?? options.start ?? flatten(initialWeights(config.architecture, config.seed))).slice();
  const average = (resume?.average ?? flat).slice();
  const adam = new MetaAdam(flat.length);
  if (resume) {
    adam.steps = resume.adamSteps;
    adam.first.set(resume.first);
    adam.second.set(resume.second);
  }
  const workers = new MetaWorkers({ architecture: config.architecture, seed: config.seed, threads: options.threads });
  const started = performance.now() - 1000 * (resume?.seconds ?? 0);
  let innerSteps = resume?.innerSteps ?? 0;
  try {
    if (resume) await workers.importState(resume.families, pesAt(config, resume.iteration));
    for (let iteration = resume?.iteration ?? 0; iteration < config.iterations; iteration++) {
      options.signal?.throwIfAborted();
      const pes = pesAt(config, iteration);
      const results = await workers.run(flat, iteration, pes);
      const gradient = new Float64Array(flat.length);
      for (const result of results) {
        innerSteps += result.steps;
        for (let i = 0; i < gradient.length; i++) gradient[i] += result.gradient[i] / results.length;
      }
      const rate = cosineRate(config.rate, config.finalRate, iteration / config.iterations);
      const gradientNorm = adam.step(flat, gradient, rate, config.clipNorm);
      const decay = iteration < AVERAGE_FROM ? 0 : config.averageDecay;
      for (let i = 0; i < flat.length; i++) average[i] = decay * average[i] + (1 - decay) * flat[i];
      const seconds = (performance.now() - started) / 1000;
      await options.onProgress?.({
        iteration: iteration + 1,
        iterations: config.iterations,
        seconds,
        innerSteps,
        rate,
        gradientNorm,
        longestHorizon: pes.horizon[1],
        losses: Object.fromEntries(results.map(({ name, loss }) => [name, loss])),
        failures: results.reduce((sum, r) => sum + r.failures, 0),
        flat,
        average,
        checkpoint: async () => ({
          config,
          iteration: iteration + 1,
          innerSteps,
          seconds,
          adamSteps: adam.steps,
          flat: flat.slice(),
          average: average.slice(),
          first: adam.first.slice(),
          second: adam.second.slice(),
          families: await workers.exportState(),
        }),
      });
    }
    return average;
  } finally {
    await workers.close();
  }
}
