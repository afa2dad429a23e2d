import { Command } from 'commander';
import type { Context } from '../../lib/cli/context';
import { chosen, integerAtLeast, names } from '../../lib/cli/options';
import { printJson, printLine, tableText, type Streams } from '../../lib/cli/output';
import { createProgress, downloadProgress } from '../../lib/cli/progress';
import { runScript } from '../../lib/cli/runScript';
import { BASELINES, TUNED_RATES, type Contestant } from '../../lib/experiments/comparison/contestants';
import { RunCache } from '../../lib/experiments/comparison/runCache';
import { TaskRunner } from '../../lib/experiments/comparison/runner';
import { tuneRate, tuningRuns } from '../../lib/experiments/comparison/tuning';
import { l2lContestant } from '../../lib/experiments/l2l/contestant';
import { loadL2lImages } from '../../lib/experiments/l2l/optimizees';
import { shippedL2lWeights } from '../../lib/experiments/l2l/shipped';
import { L2L_TASKS } from '../../lib/experiments/l2l/tasks';
import { readL2lWeights } from '../../lib/experiments/l2l/weights';
import type { RunMetrics } from '../../lib/experiments/metrics';
import { mean } from '../../lib/experiments/statistics';
import { loadDigits } from '../../lib/datasets/digits';
import type { Task, TaskData } from '../../lib/experiments/tasks/task';

const HELP = `
Networks 784-20-10, with sigmoid or relu units, are trained on the first 8,000 images of MNIST's t10k files by L2L, by Adam at
the rate that is best of half-decades from 1e-4 to 1 on other seeds, and by Adam at its customary rate of 1e-3. All see the
same starts and batches. The losses are means over the seeds of the loss on 2,000 images; the final one is the mean of
five evaluations over the last fifth of the steps.

Runs are kept in the file --cache, so that a comparison goes on where it was stopped. A step of L2L takes about 0.1 s.

Exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted.

Examples:
  $ npx tsx scripts/compare-l2l.ts --data-dir mnist --tasks l2l-sigmoid-100,l2l-relu-100
      the steps that L2L was meta-trained for
  $ npx tsx scripts/compare-l2l.ts --data-dir mnist --weights out/l2l/l2l.safetensors --cache out/l2l/runs.json
      weights of your own, ten times as many steps too
`;

interface CompareL2lOptions {
  readonly dataDir?: string;
  readonly weights?: string;
  readonly tasks?: readonly string[];
  readonly seeds: number;
  readonly steps?: number;
  readonly cache?: string;
  readonly json?: boolean;
}

function createCommand({ out, err }: Streams): Command {
  return new Command('compare-l2l.ts')
    .usage('[options]')
    .description('Trains small networks on MNIST with L2L (Andrychowicz et al. 2016) and with Adam.')
    .option('--data-dir <folder>', "MNIST's idx files; those of t10k are enough (default: downloads them)")
    .option('--weights <file>', 'of L2L (default: those that ship)')
    .option('--tasks <names>', `some of ${L2L_TASKS.map(({ name }) => name).join(', ')} (default: all)`, names)
    .option('--seeds <n>', 'starts per task', integerAtLeast(1), 3)
    .option('--steps <n>', "of a training, instead of the task's own", integerAtLeast(1))
    .option('--cache <file>', 'JSON file that keeps the runs')
    .option('--json', 'print one JSON document, errors too')
    .addHelpText('after', HELP)
    .configureOutput({ writeOut: (text) => void out.write(text), writeErr: (text) => void err.write(text) })
    .showHelpAfterError('(add --help for the options and examples)')
    .allowExcessArguments(false)
    .exitOverride();
}

/** L2L, Adam tuned, Adam at its customary rate. */
const OPTIMIZERS = 3;

interface Row {
  readonly task: string;
  readonly title: string;
  readonly optimizer: string;
  readonly rate: number;
  readonly runs: readonly RunMetrics[];
}

async function compareTask(task: Task, runner: TaskRunner, l2l: Contestant, seeds: readonly number[]): Promise<Row[]> {
  const adam = BASELINES.find(({ name }) => name === 'adam')!;
  const tuned = await tuneRate(runner, adam, TUNED_RATES);
  const { name, title } = task;
  const rows: Row[] = [];
  for (const [contestant, rate, optimizer] of [
    [l2l, l2l.customaryRate, 'L2L'],
    [adam, tuned, 'Adam, tuned'],
    [adam, adam.customaryRate, 'Adam, customary rate'],
  ] as const) {
    rows.push({ task: name, title, optimizer, rate, runs: await runner.runs(contestant, rate, seeds) });
  }
  return rows;
}

const loss = (runs: readonly RunMetrics[], which: 'initialLoss' | 'finalLoss'): string =>
  mean(runs.map((run) => run[which])).toFixed(4);

function print(rows: readonly Row[], { streams }: Context): void {
  const titles = ['task', 'optimizer', 'rate', 'initial loss', 'final loss', 'outcomes'];
  const text = tableText({
    columns: titles.map((title, i) => ({ title, align: i === 2 || i === 3 || i === 4 ? 'right' : 'left' })),
    rows: rows.map(({ title, optimizer, rate, runs }) => [
      title,
      optimizer,
      String(Number(rate.toPrecision(3))),
      loss(runs, 'initialLoss'),
      loss(runs, 'finalLoss'),
      [...new Set(runs.map(({ outcome }) => outcome))].join(', '),
    ]),
  });
  printLine(streams, text);
}

async function compare(options: CompareL2lOptions, context: Context): Promise<void> {
  const { streams, signal } = context;
  const tasks = chosen(L2L_TASKS, options.tasks);
  const weights = options.weights === undefined ? shippedL2lWeights() : readL2lWeights(options.weights);
  const cache = new RunCache(options.cache);
  const progress = createProgress(streams);
  const seeds = Array.from({ length: options.seeds }, (_, seed) => seed);
  const rows: Row[] = [];
  try {
    const mnist = await loadL2lImages({ dataDir: options.dataDir, signal, onProgress: downloadProgress(progress) });
    const data: TaskData = { digits: loadDigits(), mnist };
    for (const task of tasks) {
      const total = (tuningRuns(TUNED_RATES) + OPTIMIZERS * seeds.length) * (options.steps ?? task.steps);
      let done = 0;
      const onSteps = (run: string, steps: number): void => {
        done += steps;
        progress.update(task.name, done, total, run);
      };
      const runner = new TaskRunner(task, { data, cache, signal, steps: options.steps, onSteps });
      rows.push(...(await compareTask(task, runner, l2lContestant(weights), seeds)));
    }
  } finally {
    cache.save();
    progress.stop();
  }
  if (options.json) printJson(streams, { weights: weights.metadata, seeds, rows });
  else print(rows, context);
}

/**
 * Runs the command line.
 * @param args without the program's name
 * @returns the exit code; what went wrong has been written
 */
export async function runCompareL2l(args: readonly string[], context: Context): Promise<number> {
  const command = createCommand(context.streams).action((options: CompareL2lOptions) => compare(options, context));
  return runScript('compare-l2l.ts', command, args, context.streams);
}
