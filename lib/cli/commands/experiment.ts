import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { requireChartPackages } from '../../experiments/chart';
import { textTable } from '../../experiments/experiment/cells';
import type { Experiment, ExperimentProgress } from '../../experiments/experiment/experiment';
import type { Provenance, WrittenExperiment } from '../../experiments/experiment/folder';
import { EXPERIMENTS } from '../../experiments/experiment/registry';
import { runExperiments } from '../../experiments/experiment/runExperiments';
import { columns } from '../../experiments/table';
import { info } from '../../optimizer/info';
import { DEFAULT_PRESET, loadWeights } from '../../optimizer/presets';
import { packageRoot } from '../../packageRoot';
import { machineText, quoted } from '../commandLine';
import type { Context } from '../context';
import { UsageError } from '../exit';
import { integerAtLeast, optimizerOptions } from '../options';
import { note, printJson, printLine, tableText } from '../output';
import { createProgress } from '../progress';

interface ExperimentCommandOptions {
  out: string;
  quick?: boolean;
  dataDir?: string;
  seeds?: number;
  steps?: number;
  preset?: string;
  weights?: string;
  chart: boolean;
  json?: boolean;
}

const LIST = 'list';
const ALL = 'all';

const HELP = `
Writes into the output folder:
  index.html             the report: claim, conditions, numbers, pictures, how to repeat; one file, opens without network
  NAME/data.json         everything the report shows, with settings and versions; NAME/data.csv: all curves; NAME/*.csv: tables
  NAME/*.svg, *.png      the pictures
  runs/                  finished runs: interrupted (Ctrl-C, kill), the same command goes on where it was, with the same result

The learned optimizer is used as it comes. All others are tuned: half-decades of the rate from 1e-4 to 1 on three seeds, reported on
five others. --quick: decades, one seed to choose, two or three to report, fewer steps, and every page says so.

Examples:
  $ learned-optimizer experiment list
      the experiments and the figures of the paper they belong to
  $ learned-optimizer experiment all --quick
      a look at everything: about ten minutes
  $ learned-optimizer experiment earlier-learned-optimizer mnist --data-dir data/mnist
      on MNIST's t10k files; without --data-dir on the 8×8 digits that ship
  $ learned-optimizer experiment learning-rate horizon --out out/long
      two of them, in full: hours; run a third into the same folder at the same time from another terminal
  $ learned-optimizer experiment corpus --quick --weights mine.safetensors
      with an optimizer of your own
`;

/** @throws {UsageError} naming what there is, for a name that no experiment has */
function chosenExperiments(names: readonly string[]): readonly Experiment[] {
  const known = EXPERIMENTS.map(({ name }) => name);
  const unknown = names.find((name) => name !== ALL && !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`names: expected ${LIST}, ${ALL} or some of ${known.join(', ')}, got ${unknown}`);
  }
  if (names.includes(ALL) && names.length > 1) {
    throw new UsageError(`names: expected ${ALL} alone, got ${names.join(' ')}`);
  }
  return EXPERIMENTS.filter(({ name }) => names.includes(ALL) || names.includes(name));
}

/** The command line that repeats one experiment. */
function commandLine({ name }: Experiment, options: ExperimentCommandOptions): string {
  const words = ['npx learned-optimizer experiment', name];
  if (options.quick) words.push('--quick');
  if (options.dataDir !== undefined) words.push(`--data-dir ${quoted(options.dataDir)}`);
  if (options.seeds !== undefined) words.push(`--seeds ${options.seeds}`);
  if (options.steps !== undefined) words.push(`--steps ${options.steps}`);
  if (options.preset !== undefined) words.push(`--preset ${quoted(options.preset)}`);
  if (options.weights !== undefined) words.push(`--weights ${quoted(options.weights)}`);
  return words.join(' ');
}

function list({ json }: ExperimentCommandOptions, { streams }: Context): void {
  const all = EXPERIMENTS.map(({ name, title, figure, claim }) => ({ name, title, figure, claim }));
  if (json) return printJson(streams, all);
  const table = {
    columns: columns('name', 'of the paper', 'what').map(({ title }) => ({ title, align: 'left' as const })),
    rows: all.map(({ name, title, figure }) => [name, figure, title]),
  };
  printLine(streams, tableText(table));
}

function progressDetail({ run, secondsLeft }: ExperimentProgress): string {
  if (secondsLeft === undefined) return run;
  const left = secondsLeft < 90 ? `${Math.round(secondsLeft)} s` : `${Math.round(secondsLeft / 60)} min`;
  return `about ${left} left; ${run}`;
}

function printExperiment({ document }: WrittenExperiment, { streams }: Context): void {
  printLine(streams);
  printLine(streams, `${document.title} (${document.name}, ${document.figure})${document.quick ? ', QUICK LOOK' : ''}`);
  printLine(streams, `The paper: ${document.claim}`);
  for (const { expected, measured, holds } of document.findings) {
    printLine(streams, `  ${holds === null ? '  –' : holds ? 'yes' : ' no'}  ${expected}: ${measured}`);
  }
  const first = document.parts.find((part) => part.kind === 'table');
  if (first) printLine(streams, tableText(textTable(first)));
}

async function experiment(names: string[], options: ExperimentCommandOptions, context: Context): Promise<void> {
  const { streams, signal } = context;
  if (names.includes(LIST)) {
    if (names.length > 1) throw new UsageError(`names: expected ${LIST} alone, got ${names.join(' ')}`);
    return list(options, context);
  }
  const experiments = chosenExperiments(names);
  const optimizer = optimizerOptions(options);
  const { dataDir } = options;
  if (dataDir !== undefined && !existsSync(dataDir)) {
    throw new UsageError(`--data-dir: expected a folder with MNIST's t10k idx files, but ${dataDir} does not exist`);
  }
  if (options.chart) {
    await requireChartPackages().catch((error: Error) => {
      error.message += '. Or run without pictures: --no-chart';
      throw error;
    });
  }
  const weights = optimizer.weights ?? loadWeights(optimizer.preset ?? DEFAULT_PRESET);
  const provenance = (of: Experiment): Provenance => ({
    command: commandLine(of, options),
    version: `learned-optimizer ${info().version}`,
    weights: weights.metadata.name,
    machine: machineText(),
  });
  const progress = createProgress(streams);
  const { written, skipped, report } = await runExperiments({
    experiments,
    weights,
    effort: { quick: options.quick ?? false, seeds: options.seeds, steps: options.steps },
    dataDir,
    resultsDir: join(packageRoot, 'bench', 'results'),
    threads: availableParallelism(),
    out: options.out,
    pictures: options.chart,
    skipMissing: names.includes(ALL),
    provenance,
    signal,
    onProgress: ({ name }, state) => progress.update(name, state.done, state.total, progressDetail(state)),
    onDone: (done) => {
      progress.stop();
      if (!options.json) printExperiment(done, context);
    },
  }).finally(() => progress.stop());
  if (written.some(({ pngHasText }) => !pngHasText)) {
    note(
      streams,
      'the PNG files have no text because this machine has no fonts (on Debian: apt-get install fonts-dejavu-core); the SVG files are complete',
    );
  }
  for (const { name, reason } of skipped) note(streams, `${name} left out. ${reason}`);
  if (options.json) {
    const results = written.map(({ document, files }) => ({ ...document, files }));
    return printJson(streams, { report, experiments: results, skipped });
  }
  printLine(streams);
  printLine(streams, `report  ${report}`);
  printLine(streams, `data    ${written.map(({ files }) => files[0]).join(', ')}`);
}

export function addExperimentCommand(program: Command, context: Context): void {
  const known = EXPERIMENTS.map(({ name }) => name).join(', ');
  program
    .command('experiment')
    .summary('try what the paper claims, beside tuned optimizers, with data, pictures and a report')
    .description(
      'Reproduces claims of the paper with the learned optimizer, from fixed seeds, beside Adam, RMSProp, SGD and SGD with momentum at their\n' +
        'best rates. Prints which conditions hold; writes data, pictures and one report for all experiments of the output folder.',
    )
    .argument('<names...>', `${LIST}, ${ALL}, or some of ${known}`)
    .option('--quick', 'a look in minutes: fewer seeds, rates and steps; marked in data, pictures and report')
    .option('--out <dir>', 'folder for report, data, pictures and finished runs', 'out/experiments')
    .option(
      '--data-dir <dir>',
      "folder with MNIST's t10k idx files, for earlier-learned-optimizer and mnist (default: the embedded 8×8 digits)",
    )
    .option('--seeds <n>', 'seeds reported, from 0 (default: 5; with --quick 2 or 3)', integerAtLeast(1))
    .option('--steps <n>', "training steps of every run (default: the experiments' own)", integerAtLeast(1))
    .option('--preset <name>', 'weights of the learned optimizer that ship; see "learned-optimizer presets"')
    .option('--weights <file>', 'weights of the learned optimizer of your own (.safetensors)')
    .option('--no-chart', 'no pictures; the report has the tables only')
    .option('--json', 'print one JSON document with all results instead of tables')
    .addHelpText('after', HELP)
    .action((names: string[], options: ExperimentCommandOptions) => experiment(names, options, context));
}
