import { Option, type Command } from 'commander';
import { requireChartPackages } from '../../experiments/chart';
import type { DemoResult } from '../../experiments/demo';
import { demoSummary, demoTable, writeDemo, type DemoFiles, type Environment } from '../../experiments/demoReport';
import { formatCount, formatLoss } from '../../experiments/format';
import { loadDigitsDataset } from '../../datasets/digits';
import type { ImageDataset } from '../../datasets/images';
import { loadMnist, MIRRORS_VARIABLE, type MnistName } from '../../datasets/mnist';
import { info } from '../../optimizer/info';
import type { Backend } from '../../tfjs/backend';
import { machineText, quoted } from '../commandLine';
import type { Context } from '../context';
import { UsageError } from '../exit';
import { collect, integerAtLeast, optimizerOptions } from '../options';
import { note, printJson, printLine, tableText } from '../output';
import { createProgress, downloadProgress, type Progress } from '../progress';

interface DemoCommandOptions {
  dataset: 'digits' | MnistName;
  dataDir?: string;
  mirror?: string[];
  out: string;
  steps?: number;
  seed: number;
  preset?: string;
  weights?: string;
  backend: 'auto' | 'node' | 'wasm' | 'cpu';
  quick?: boolean;
  chart: boolean;
  json?: boolean;
}

const DEFAULT_STEPS = 2000;
const QUICK_STEPS = 150;

const HELP = `
Writes into the output folder:
  report.html            table, curves, what was run; one file, opens without network
  learning-curves.svg    the curves; also as learning-curves.png
  results.json           every number, for your own plots

Examples:
  $ learned-optimizer demo
      the embedded digits, about a minute
  $ learned-optimizer demo --quick
      a tenth of the steps: does everything work here?
  $ learned-optimizer demo --seed 1 --out out/seed1
      another start and other batches
  $ learned-optimizer demo --dataset fashion-mnist --data-dir data/fashion
      idx or idx.gz files from the folder; downloads them if they are not there
  $ ${MIRRORS_VARIABLE}=https://mirror.example/{dataset}/ learned-optimizer demo --dataset mnist
      download from a mirror of your own
`;

async function loadDataset(options: DemoCommandOptions, context: Context, progress: Progress): Promise<ImageDataset> {
  if (options.dataset === 'digits') {
    if (options.dataDir !== undefined) {
      throw new UsageError('--data-dir: the digits are embedded; expected --dataset mnist or fashion-mnist with it');
    }
    return loadDigitsDataset();
  }
  return loadMnist({
    dataset: options.dataset,
    dataDir: options.dataDir,
    mirrors: options.mirror,
    signal: context.signal,
    onProgress: downloadProgress(progress),
  });
}

/** The command line that repeats this run. */
function commandLine(options: DemoCommandOptions, steps: number): string {
  const words = ['npx learned-optimizer demo', `--dataset ${options.dataset}`];
  if (options.dataDir !== undefined) words.push(`--data-dir ${quoted(options.dataDir)}`);
  words.push(`--steps ${steps}`, `--seed ${options.seed}`);
  if (options.preset !== undefined) words.push(`--preset ${quoted(options.preset)}`);
  if (options.weights !== undefined) words.push(`--weights ${quoted(options.weights)}`);
  if (options.backend !== 'auto') words.push(`--backend ${options.backend}`);
  words.push(`--out ${quoted(options.out)}`);
  return words.join(' ');
}

function environmentOf(backend: Backend): Environment {
  return {
    backend: backend.description,
    machine: machineText(),
    version: `learned-optimizer ${info().version}`,
    date: new Date().toISOString().slice(0, 10),
  };
}

function printResult(result: DemoResult, files: DemoFiles, context: Context): void {
  const { streams } = context;
  printLine(streams);
  printLine(streams, tableText(demoTable(result)));
  printLine(streams);
  printLine(streams, demoSummary(result));
  printLine(streams);
  printLine(streams, `report  ${files.report}`);
  if (files.svg) printLine(streams, `curves  ${files.svg}, ${files.png}`);
  printLine(streams, `data    ${files.json}`);
}

async function demo(options: DemoCommandOptions, context: Context): Promise<void> {
  const { streams, signal } = context;
  const say = (text: string): void => (options.json ? undefined : printLine(streams, text));
  const steps = options.steps ?? (options.quick ? QUICK_STEPS : DEFAULT_STEPS);
  const optimizer = optimizerOptions(options);
  if (options.chart) {
    await requireChartPackages().catch((error: Error) => {
      error.message += '. Or run without pictures: --no-chart';
      throw error;
    });
  }
  const progress = createProgress(streams);
  // TensorFlow.js is an optional peer and slow to load: only this command may need it.
  const { loadBackend } = await import('../../tfjs/backend');
  try {
    const backend = await loadBackend(options.backend === 'auto' ? undefined : options.backend);
    const dataset = await loadDataset(options, context, progress);
    say(`Backend: ${backend.description}`);
    say(`Data: ${dataset.provenance}`);
    const { runDemo } = await import('../../experiments/demo');
    const result = await runDemo({
      dataset,
      backend,
      steps,
      seed: options.seed,
      optimizer,
      signal,
      onProgress: (p) => progress.update(p.optimizer, p.step, p.steps, `training loss ${formatLoss(p.loss)}`),
    });
    progress.stop();
    const command = commandLine(options, steps);
    const environment = environmentOf(backend);
    const files = await writeDemo(result, { out: options.out, command, environment, withChart: options.chart });
    if (files.pngHasText === false) {
      note(
        streams,
        `${files.png} has no text because this machine has no fonts (on Debian: apt-get install fonts-dejavu-core); ${files.svg} is complete`,
      );
    }
    if (options.json) printJson(streams, { ...result, environment, command, files });
    else printResult(result, files, context);
  } finally {
    progress.stop();
  }
}

export function addDemoCommand(program: Command, context: Context): void {
  program
    .command('demo')
    .summary('train a network beside Adam, RMSProp and SGD, and draw the learning curves')
    .description(
      'Trains a network with one hidden layer of 32 units on real images, with the learned optimizer and, from the same start on the\n' +
        'same batches, with Adam, RMSProp and SGD with momentum at their usual settings. Prints a table; writes curves and a report.',
    )
    .addOption(
      new Option('--dataset <name>', 'images to learn').choices(['digits', 'mnist', 'fashion-mnist']).default('digits'),
    )
    .option('--data-dir <dir>', 'folder with MNIST or Fashion-MNIST idx files (default: a folder of your cache)')
    .option(
      '--mirror <url>',
      `folder to download from, may be repeated (default: ${MIRRORS_VARIABLE}, then public mirrors)`,
      collect,
    )
    .option('--out <dir>', 'folder for report, curves and numbers', 'out/demo')
    .option(
      '--steps <n>',
      `training steps for each optimizer (default: ${formatCount(DEFAULT_STEPS)})`,
      integerAtLeast(1),
    )
    .option('--seed <n>', 'start and batches, the same for all optimizers', integerAtLeast(0), 0)
    .option('--preset <name>', 'weights of the learned optimizer that ship; see "learned-optimizer presets"')
    .option('--weights <file>', 'weights of the learned optimizer of your own (.safetensors)')
    .addOption(
      new Option('--backend <name>', 'TensorFlow.js backend; auto: node if installed, else wasm, else cpu')
        .choices(['auto', 'node', 'wasm', 'cpu'])
        .default('auto'),
    )
    .option('--quick', `only ${QUICK_STEPS} steps, for a check that everything works`)
    .option('--no-chart', 'no pictures; the report has the table only')
    .option('--json', 'print one JSON document with all numbers instead of the table')
    .addHelpText('after', HELP)
    .action((options: DemoCommandOptions) => demo(options, context));
}
