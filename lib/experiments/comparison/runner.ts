import { createHash } from 'node:crypto';
import { zerosLike, type Problem } from '../../problems/problem';
import { runMetrics, type RunMetrics } from '../metrics';
import type { Task, TaskData } from '../tasks/task';
import { train } from '../training';
import type { Contestant } from './contestants';
import type { RunCache } from './runCache';

export interface RunnerOptions {
  readonly data: TaskData;
  readonly cache: RunCache;
  /** Instead of the tasks' own. */
  readonly steps?: number;
  readonly signal?: AbortSignal;
  /** After every finished run and every evaluation; `steps` have been done since the last call. */
  readonly onSteps?: (run: string, steps: number) => void;
}

/** Changes with the task's network, data, batches and evaluation, not with the rounding of another machine. */
export function taskFingerprint(task: Pick<Task, 'sampling' | 'evaluateEvery'>, problem: Problem): string {
  const parameters = problem.initial(0);
  const gradients = zerosLike(problem);
  const batch = Int32Array.from({ length: problem.batchSize }, (_, i) => i);
  const loss = problem.lossAndGradient(parameters, batch, gradients);
  const norm = Math.sqrt(gradients.flatMap((g) => [...g]).reduce((sum, g) => sum + g * g, 0));
  const facts = [
    problem.parameters.map(({ shape }) => shape),
    [problem.sampleCount, problem.batchSize, task.sampling, task.evaluateEvery],
    [loss, norm, problem.fullLoss(parameters)].map((value) => value.toPrecision(6)),
  ];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 8);
}

/** Runs of one task, each trained once: what the cache has is not trained again. */
export class TaskRunner {
  readonly steps: number;
  readonly #problem: Problem;
  readonly #fingerprint: string;

  constructor(
    readonly task: Task,
    private readonly options: RunnerOptions,
  ) {
    this.steps = options.steps ?? task.steps;
    this.#problem = task.problem(options.data);
    this.#fingerprint = taskFingerprint(task, this.#problem);
  }

  /** @throws the signal's reason when aborted. */
  async run(contestant: Contestant, nominalRate: number, seed: number): Promise<RunMetrics> {
    const { task, steps, options } = this;
    const rate = contestant.countsAs?.(nominalRate) ?? nominalRate;
    const key = {
      task: task.name,
      fingerprint: this.#fingerprint,
      optimizer: contestant.name,
      rate,
      seed,
      steps,
    };
    const name = `${task.name}, ${contestant.title}, rate ${rate.toPrecision(3)}, seed ${seed}`;
    const known = options.cache.get(key);
    if (known) {
      options.onSteps?.(name, steps);
      return known;
    }
    options.signal?.throwIfAborted();
    let reported = 0;
    const { losses } = await train(this.#problem, contestant.make(rate), {
      seed,
      steps,
      evaluateEvery: task.evaluateEvery,
      sampling: task.sampling,
      stopOnDivergence: true,
      signal: options.signal,
      onEvaluation: ({ step }) => {
        options.onSteps?.(name, step - reported);
        reported = step;
      },
    });
    // A run that diverged ends early.
    options.onSteps?.(name, steps - reported);
    return options.cache.add(key, runMetrics(losses));
  }

  /** One run per seed. */
  async runs(contestant: Contestant, rate: number, seeds: readonly number[]): Promise<RunMetrics[]> {
    const results: RunMetrics[] = [];
    for (const seed of seeds) results.push(await this.run(contestant, rate, seed));
    return results;
  }
}
