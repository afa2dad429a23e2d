import type { Command } from 'commander';
import { BASELINES } from '../../experiments/landscapes/descent';
import { writeLandscapesPage, type WrittenPage } from '../../experiments/landscapes/page';
import { PICTURE_LANDSCAPES } from '../../experiments/landscapes/catalogue';
import { formatRate } from '../../experiments/format';
import { columns } from '../../experiments/table';
import type { Context } from '../context';
import { chosen, integerAtLeast, names, optimizerOptions } from '../options';
import { printJson, printLine, tableText } from '../output';
import { createProgress } from '../progress';

interface LandscapesCommandOptions {
  out: string;
  steps: number;
  seed: number;
  landscapes?: string[];
  preset?: string;
  weights?: string;
  json?: boolean;
}

const HELP = `
Writes into the output folder:
  index.html             the page; open it in a browser, it needs no server and no network
  style.css, page.js     its look and its program
  data/                  the trajectories, one file for every landscape

On the page: play, pause, step and scrub; choose landscape, start and initial rate; click on the map to start anywhere.
Keys: space plays and pauses, ← and → make a step, Home and End go to the ends.

Examples:
  $ learned-optimizer landscapes
      all nine landscapes, about ten seconds, into out/landscapes
  $ learned-optimizer landscapes --landscapes rosenbrock,branin --steps 2000
      two of them, for longer
  $ learned-optimizer landscapes --weights run/best.safetensors --out out/mine
      an optimizer that you have meta-trained
  $ learned-optimizer landscapes --seed 1 --json | jq .landscapes[].tuned
      other starts; the rates that baselines were tuned to
`;

function printResult({ index, landscapes }: WrittenPage, context: Context): void {
  const rows = landscapes.map(({ slug, tuned }) => [slug, ...BASELINES.map(({ id }) => formatRate(tuned[id]))]);
  printLine(
    context.streams,
    tableText({ columns: columns('tuned rates', ...BASELINES.map(({ name }) => name)), rows }),
  );
  printLine(context.streams);
  printLine(context.streams, `page  ${index}`);
}

async function landscapes(options: LandscapesCommandOptions, context: Context): Promise<void> {
  const { streams, signal } = context;
  const named = PICTURE_LANDSCAPES.map(({ slug }) => ({ name: slug }));
  const slugs = chosen(named, options.landscapes, '--landscapes').map(({ name }) => name);
  const optimizer = optimizerOptions(options);
  const progress = createProgress(streams);
  try {
    const { out, steps, seed } = options;
    const written = await writeLandscapesPage({
      out,
      steps,
      seed,
      slugs,
      optimizer,
      signal,
      onProgress: ({ landscape, done, total }) => progress.update(landscape, done, total, 'trajectories'),
    });
    progress.stop();
    if (options.json) printJson(streams, { seed, steps, ...written });
    else printResult(written, context);
  } finally {
    progress.stop();
  }
}

export function addLandscapesCommand(program: Command, context: Context): void {
  program
    .command('landscapes')
    .summary('a page on which optimizers race over two-dimensional landscapes')
    .description(
      'Writes an interactive page: the learned optimizer beside Adam, RMSProp, SGD with momentum and SGD on Rosenbrock, Ackley, Beale\n' +
        'and the other two-dimensional functions of the corpus, with heights, learned rates and momenta step by step. The learned\n' +
        "optimizer's trajectories are computed here over a grid of starts and initial rates; the others' rates are tuned for each landscape.",
    )
    .option('--out <dir>', 'folder for the page', 'out/landscapes')
    .option('--steps <n>', 'steps of every trajectory', integerAtLeast(1), 1000)
    .option('--seed <n>', 'draws the nine starts on each landscape', integerAtLeast(0), 0)
    .option(
      '--landscapes <names>',
      `only these, separated by commas: ${PICTURE_LANDSCAPES.map(({ slug }) => slug).join(', ')} (default: all)`,
      names,
    )
    .option('--preset <name>', 'weights of the learned optimizer that ship; see "learned-optimizer presets"')
    .option('--weights <file>', 'weights of the learned optimizer of your own (.safetensors)')
    .option('--json', 'print one JSON document instead of the table')
    .addHelpText('after', HELP)
    .action((options: LandscapesCommandOptions) => landscapes(options, context));
}
