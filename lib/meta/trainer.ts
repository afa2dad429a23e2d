import { initialWeights } from '../optimizer/initialWeights';
import type { Checkpoint } from './checkpoint';
import { totalIterations, validateMetaTrainingConfig } from './config';
import type { EstimatorConfig, MetaTrainingConfig, PhaseConfig } from './config';
import { flatten, maskOf } from './flat';
import { cosineRate, createMetaOptimizer } from './metaOptimizers';
import type { DroppedPart, PartsFactory, PartsResult } from './parts';
import type { FamilyResult } from './shard';
import { loadProblems } from './userProblems';
import { MetaWorkers } from './workers';

export interface MetaTrainingOptions {
  readonly config: MetaTrainingConfig;
  /** Where the meta-parameters start; default: `initialWeights` of the configuration's seed. */
  readonly start?: Float64Array;
  /** Continues this run; its configuration and meta-parameters take the place of `config` and `start`. */
  readonly resume?: Checkpoint;
  readonly threads: number;
  /** Who computes the parts of an iteration; default: threads of this process. The result does not depend on it. */
  readonly parts?: PartsFactory;
  readonly signal?: AbortSignal;
  /** Called after every iteration; training waits for it. */
  readonly onProgress?: (progress: MetaTrainingProgress) => void | Promise<void>;
}

export interface MetaTrainingProgress {
  /** Iterations done and to be done, over all phases. */
  readonly iteration: number;
  readonly iterations: number;
  readonly phase: string;
  /** Wall time and problem steps so far, with those before a resumption. */
  readonly seconds: number;
  readonly innerSteps: number;
  readonly rate: number;
  readonly gradientNorm: number;
  /** Longest log-uniform horizon, steps; absent with heavy-tailed ones. */
  readonly longestHorizon?: number;
  /** Mean meta-loss per family, this iteration. */
  readonly losses: Readonly<Record<string, number>>;
  /** Trajectories given up, this iteration. */
  readonly failures: number;
  /** Families whose part of this iteration nobody could compute: the meta-update is without them. */
  readonly dropped: readonly DroppedPart[];
  /** The meta-parameters, and their exponential moving average, which is what ships. */
  readonly flat: Float64Array;
  readonly average: Float64Array;
  /** The run as it is now. */
  checkpoint(): Promise<Checkpoint>;
}

/** The moving average follows the meta-parameters themselves over this many iterations of a phase. */
const AVERAGE_FROM = 50;

/** Iterations of the phases before this one. */
export function iterationsBefore({ phases }: MetaTrainingConfig, phase: number): number {
  return phases.slice(0, phase).reduce((sum, { iterations }) => sum + iterations, 0);
}

/** The estimator's options in an iteration: the longest horizon grows geometrically over two thirds of the phase. */
function estimatorAt({ estimator, horizonGrowth, iterations }: PhaseConfig, iteration: number): EstimatorConfig {
  const { horizon } = estimator;
  if (!horizonGrowth || !('length' in horizon)) return estimator;
  const [from, to] = horizonGrowth;
  const longest = Math.exp(Math.log(from) + Math.log(to / from) * Math.min(1, (1.5 * iteration) / iterations));
  return { ...estimator, horizon: [horizon[0], longest] };
}

/** Mean meta-loss per family, over its copies. */
function meanLosses(results: readonly FamilyResult[]): Record<string, number> {
  const byName = new Map<string, number[]>();
  for (const { name, loss } of results) byName.set(name, [...(byName.get(name) ?? []), loss]);
  return Object.fromEntries(
    [...byName].map(([name, losses]) => [name, losses.reduce((sum, loss) => sum + loss, 0) / losses.length]),
  );
}

/** @throws {Error} where nobody could compute any part */
function notEmpty(iteration: number, done: PartsResult): PartsResult {
  if (done.results.length > 0) return done;
  const reason = done.dropped[0]?.reason;
  throw new Error(
    `iteration ${iteration}: expected the part of one family at least, but all were dropped: ${reason}; go on with --resume`,
  );
}

/** Values of `source` where the mask is not 0. */
function overwrite(target: Float64Array, mask: Uint8Array, source: Float64Array): void {
  for (let i = 0; i < target.length; i++) if (mask[i] !== 0) target[i] = source[i];
}

/**
 * Meta-trains through the phases of a configuration. The result depends on the configuration and the start alone: not on
 * the number of threads, nor on how often the run was interrupted and resumed.
 * @returns the moving average of the meta-parameters
 * @throws the signal's reason when aborted
 */
export async function metaTrain(options: MetaTrainingOptions): Promise<Float64Array> {
  const { resume } = options;
  const config = validateMetaTrainingConfig(resume?.config ?? options.config);
  const { architecture, seed, corpus, problems, copies, frozen, phases, staleness = 0 } = config;
  const { threads } = options;
  const openParts: PartsFactory = options.parts ?? ((shared) => new MetaWorkers({ ...shared, threads }));
  const held = maskOf(architecture, frozen);
  await loadProblems(problems);
  const flat = (resume?.flat ?? options.start ?? flatten(initialWeights(architecture, seed))).slice();
  const average = (resume?.average ?? flat).slice();
  const started = performance.now() - 1000 * (resume?.seconds ?? 0);
  let innerSteps = resume?.innerSteps ?? 0;

  for (let index = resume?.phase ?? 0; index < phases.length; index++) {
    const phase = phases[index];
    const resumed = resume?.phase === index ? resume : undefined;
    const metaOptimizer = createMetaOptimizer(phase.metaOptimizer, flat.length);
    if (resumed) metaOptimizer.importState(resumed.metaOptimizer);
    else flat.set(average);
    const { kind } = phase.estimator;
    const parts = await openParts({ architecture, seed, corpus, problems, copies, frozen, phase: index, kind });
    try {
      const first = resumed?.iteration ?? 0;
      // Iterations that have been asked for. With staleness they are asked for before the ones before them are applied.
      const ahead = new Map<number, Promise<PartsResult>>();
      for (const { iteration, ...done } of resumed?.pending ?? []) ahead.set(iteration, Promise.resolve(done));
      let next = first + ahead.size;
      if (resumed && next > 0) await parts.importState(resumed.families, estimatorAt(phase, next));
      for (let iteration = first; iteration < phase.iterations; iteration++) {
        options.signal?.throwIfAborted();
        for (; next <= iteration + staleness && next < phase.iterations; next++) {
          const run = parts.run(flat, next, estimatorAt(phase, next));
          // An error counts when the iteration's turn comes.
          run.catch(() => undefined);
          ahead.set(next, run);
        }
        const { results, dropped } = notEmpty(iteration, await ahead.get(iteration)!);
        ahead.delete(iteration);
        const estimator = estimatorAt(phase, iteration);
        const gradient = new Float64Array(flat.length);
        for (const result of results) {
          innerSteps += result.steps;
          for (let i = 0; i < gradient.length; i++) gradient[i] += result.gradient[i] / results.length;
        }
        const before = held && flat.slice();
        if (held) overwrite(gradient, held, new Float64Array(gradient.length));
        const rate = cosineRate(phase.rate, phase.finalRate, iteration / phase.iterations);
        const gradientNorm = metaOptimizer.step(flat, gradient, rate, phase.clipNorm);
        // A meta-optimizer that decays weights moves them without a gradient.
        if (before) overwrite(flat, held!, before);
        const decay = iteration < AVERAGE_FROM ? 0 : phase.averageDecay;
        for (let i = 0; i < flat.length; i++) average[i] = decay * average[i] + (1 - decay) * flat[i];
        const seconds = (performance.now() - started) / 1000;
        const { horizon } = estimator;
        await options.onProgress?.({
          iteration: iterationsBefore(config, index) + iteration + 1,
          iterations: totalIterations(config),
          phase: phase.name,
          seconds,
          innerSteps,
          rate,
          gradientNorm,
          longestHorizon: 'length' in horizon ? horizon[1] : undefined,
          losses: meanLosses(results),
          failures: results.reduce((sum, { failures }) => sum + failures, 0),
          dropped,
          flat,
          average,
          checkpoint: async () => ({
            config,
            phase: index,
            iteration: iteration + 1,
            innerSteps,
            seconds,
            flat: flat.slice(),
            average: average.slice(),
            metaOptimizer: metaOptimizer.exportState(),
            // These first: then every family stands where they end. From an empty one nothing could go on.
            pending: await Promise.all(
              [...ahead].map(async ([iteration, run]) => ({ iteration, ...notEmpty(iteration, await run) })),
            ),
            families: await parts.exportState(),
          }),
        });
      }
    } finally {
      await parts.close();
    }
  }
  return average;
}
