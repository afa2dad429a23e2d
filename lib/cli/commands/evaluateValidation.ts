import { formatLoss, formatRate } from '../../experiments/format';
import { columns, type Table } from '../../experiments/table';
import type { Task } from '../../experiments/tasks/task';
import { VALIDATION_TASKS } from '../../experiments/tasks/validationTasks';
import { validate, VALIDATION_RATES, type Validation } from '../../experiments/validation';
import { meanFinalLoss } from '../../experiments/comparison/tuning';
import { DEFAULT_PRESET, loadWeights } from '../../optimizer/presets';
import type { Context } from '../context';
import { ExpectationMissed } from '../exit';
import { chosen, optimizerOptions, seedsOf } from '../options';
import { printJson, printLine, tableText } from '../output';
import { createProgress } from '../progress';
import type { EvaluateCommandOptions } from './evaluate';

const DEFAULT_SEEDS = 2;

/** Mean final losses by initial rate, and the score, a row per task. */
function validationTable({ rows, tasks: scores }: Validation, tasks: readonly Task[], rates: readonly number[]): Table {
  return {
    columns: columns('task', ...rates.map((rate) => `from ${formatRate(rate)}`), 'stuck', 'diverged', 'score'),
    rows: tasks.map(({ name }) => {
      const ofTask = rows.filter(({ task }) => task === name);
      const count = (outcome: string): string => String(ofTask.filter((row) => row.outcome === outcome).length);
      return [
        name,
        ...rates.map((rate) => formatLoss(meanFinalLoss(ofTask.filter(({ initialRate }) => initialRate === rate)))),
        count('stuck'),
        count('diverged'),
        scores[name].toFixed(3),
      ];
    }),
  };
}

/** The suite that steers meta-training: a score, without baselines. */
export async function evaluateValidation(options: EvaluateCommandOptions, { streams, signal }: Context): Promise<void> {
  const tasks = chosen(VALIDATION_TASKS, options.tasks);
  const optimizer = optimizerOptions(options);
  const weights = optimizer.weights ?? loadWeights(optimizer.preset ?? DEFAULT_PRESET);
  const initialRates = options.initialRates ?? VALIDATION_RATES;
  const progress = createProgress(streams);
  const validation = await validate(weights, {
    tasks: options.steps === undefined ? tasks : tasks.map((task) => ({ ...task, steps: options.steps! })),
    seeds: seedsOf(options, DEFAULT_SEEDS),
    initialRates,
    stateBits: optimizer.stateBits,
    signal,
    onProgress: ({ run, done, total }) => progress.update('validating', done, total, run),
  }).finally(() => progress.stop());
  const { score } = validation;
  if (options.json) {
    printJson(streams, { weights: weights.metadata.name, ...validation });
  } else {
    printLine(streams, tableText(validationTable(validation, tasks, initialRates)));
    printLine(
      streams,
      `score ${score.toFixed(3)} (mean log10 of the final loss; lower is better; ` +
        `${validation.stuck} stuck, ${validation.diverged} diverged of ${validation.rows.length} runs)`,
    );
  }
  const limit = options.expectScore;
  if (limit === undefined) return;
  if (!(score <= limit))
    throw new ExpectationMissed(`--expect-score: expected at most ${limit}, got ${score.toFixed(3)}`);
  if (!options.json) printLine(streams, `expected a score of at most ${limit}: met`);
}
