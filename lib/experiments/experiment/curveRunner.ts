import type { Problem } from '../../problems/problem';
import type { Contestant } from '../comparison/contestants';
import { taskFingerprint } from '../comparison/runner';
import { tuneRate, tuningRuns } from '../comparison/tuning';
import type { RunMetrics } from '../metrics';
import type { Task } from '../tasks/task';
import { train } from '../training';
import type { Plan } from './contestants';
import { curveMetrics, type Curve } from './curve';
import type { ExperimentContext } from './experiment';

/** What an experiment trains: a network, the same for every seed, or a family of which every seed is an instance. */
export interface CurveTask extends Pick<Task, 'name' | 'title' | 'sampling' | 'steps' | 'evaluateEvery'> {
  problem(seed: number): Problem;
  /** Share of held-out samples that trained parameters classify correctly. */
  accuracy?(parameters: readonly Float32Array[]): number;
}

/** Runs of one optimizer at one rate, in the order of the seeds. */
export interface RateCurves {
  readonly contestant: Contestant;
  readonly rate: number;
  readonly curves: readonly Curve[];
  readonly metrics: readonly RunMetrics[];
}

/** Counts training steps over all tasks of an experiment and estimates what is left. */
export class StepCounter {
  #done = 0;
  #trained = 0;
  #began = performance.now();

  /** @param total steps of all runs of the experiment */
  constructor(
    private readonly total: number,
    private readonly report: ExperimentContext['onProgress'],
  ) {}

  /** @param kept whether the run was there already */
  add(run: string, steps: number, kept: boolean): void {
    this.#done += steps;
    if (!kept) this.#trained += steps;
    const seconds = (performance.now() - this.#began) / 1000;
    const secondsLeft = this.#trained > 0 ? ((this.total - this.#done) * seconds) / this.#trained : undefined;
    this.report?.({ run, done: Math.min(this.#done, this.total), total: this.total, secondsLeft });
  }
}

/** Runs of one task, each trained once: what the cache has is not trained again. */
export class CurveRunner {
  readonly #problems = new Map<number, Problem>();
  #fingerprint: string | undefined;

  constructor(
    readonly task: CurveTask,
    private readonly context: Pick<ExperimentContext, 'cache' | 'signal'>,
    private readonly counter: StepCounter,
  ) {}

  /** One run per seed. @throws the signal's reason when aborted. */
  async curves(contestant: Contestant, rate: number, seeds: readonly number[]): Promise<RateCurves> {
    const curves: Curve[] = [];
    for (const seed of seeds) curves.push(await this.#run(contestant, rate, seed));
    return { contestant, rate, curves, metrics: curves.map((curve) => curveMetrics(curve, this.task)) };
  }

  /** Chooses a rate by the plan's tuning seeds, then runs the plan's seeds with it. */
  async tuned(contestant: Contestant, plan: Plan): Promise<RateCurves> {
    const runner = {
      runs: async (of: Contestant, rate: number, seeds: readonly number[]) => [
        ...(await this.curves(of, rate, seeds)).metrics,
      ],
    };
    const rate = await tuneRate(runner, contestant, plan.rates, plan.tuningSeeds);
    return this.curves(contestant, rate, plan.seeds);
  }

  #problem(seed: number): Problem {
    let problem = this.#problems.get(seed);
    if (!problem) {
      problem = this.task.problem(seed);
      this.#problems.set(seed, problem);
    }
    return problem;
  }

  async #run(contestant: Contestant, nominalRate: number, seed: number): Promise<Curve> {
    const { task, counter } = this;
    const { cache, signal } = this.context;
    const rate = contestant.countsAs?.(nominalRate) ?? nominalRate;
    this.#fingerprint ??= taskFingerprint(task, this.#problem(0));
    const { name, steps } = task;
    const key = { task: name, fingerprint: this.#fingerprint, optimizer: contestant.name, rate, seed, steps };
    const label = `${name}, ${contestant.title}, rate ${rate.toPrecision(3)}, seed ${seed}`;
    const known = cache.get(key);
    if (known) {
      counter.add(label, steps, true);
      return known;
    }
    signal?.throwIfAborted();
    let reported = 0;
    let accuracy: number | null = null;
    const { losses, seconds } = await train(this.#problem(seed), contestant.make(rate), {
      ...task,
      seed,
      stopOnDivergence: true,
      signal,
      onEvaluation: ({ step }) => {
        counter.add(label, step - reported, false);
        reported = step;
      },
      onEnd: (parameters) => {
        accuracy = task.accuracy?.(parameters) ?? null;
      },
    });
    // A run that diverged ends early.
    counter.add(label, steps - reported, true);
    return cache.add(key, { losses: losses.map(({ loss }) => loss), accuracy, seconds });
  }
}

/** Runs that {@link CurveRunner.tuned} does for one optimizer. */
export function tunedRuns(plan: Plan): number {
  return tuningRuns(plan.rates, plan.tuningSeeds) + plan.seeds.length;
}
