import { formatLoss, formatRate } from '../../format';
import { mean } from '../../statistics';
import type { Experiment, ExperimentContext } from '../experiment';
import { readMeasurements } from '../measurements';
import { COMPARABLE } from '../parts';
import { quartilesOf } from '../quantiles';
import { finiteOrNull, seriesPoint, tableColumns, type ChartPart, type Finding, type TablePart } from '../result';

/** A run of the comparison's file (`examples/imagenet/comparison`), as far as it is used here. */
interface Run {
  readonly network: string;
  readonly optimizer: string;
  /** null: the learned optimizer, which has none to choose. */
  readonly learningRate: number | null;
  /** Of the learned optimizer's steps, then without warm-up; absent: as it comes. */
  readonly multiplier?: number;
  readonly parameters: number;
  /** Loss of the batch at every step. */
  readonly losses: readonly number[];
  readonly evaluation: { readonly loss: number; readonly top1: number; readonly images: number } | null;
  readonly backend: string;
  readonly machine: string;
}

interface Comparison {
  readonly settings: Readonly<Record<string, string | number>>;
  readonly runs: readonly Run[];
}

const FILE = 'imagenet/runs.json';
const COMMAND = 'npm run experiment:imagenet -- --data-dir MNIST_FOLDER --out bench/results/imagenet';
const TITLES: Readonly<Record<string, string>> = { inceptionv3: 'Inception V3', resnet50v2: 'ResNet V2 50' };
const titleOf = (network: string): string => TITLES[network] ?? network;
/** Steps that one point of a curve stands for. */
const WINDOW = 20;
/** Steps at the start and at the end whose mean is reported. */
const ENDS = 50;

const asItComes = ({ learningRate, multiplier }: Run): boolean => learningRate === null && multiplier === undefined;

function nameOf({ optimizer, learningRate, multiplier }: Run): string {
  if (learningRate !== null) return `${optimizer === 'adam' ? 'Adam' : optimizer} ${formatRate(learningRate)}`;
  return multiplier === undefined ? 'learned' : `learned ×${formatRate(multiplier)}`;
}

function roleOf(run: Run): 'learned' | 'variant' | 'other' {
  if (asItComes(run)) return 'learned';
  return run.learningRate === null ? 'variant' : 'other';
}

const startOf = ({ losses }: Run): number => mean(losses.slice(0, ENDS));
const endOf = ({ losses }: Run): number => mean(losses.slice(-ENDS));

function curveChart(network: string, runs: readonly Run[]): ChartPart {
  const steps = Math.max(...runs.map(({ losses }) => losses.length));
  const windows = Array.from({ length: Math.floor(steps / WINDOW) }, (_, i) => i * WINDOW);
  return {
    kind: 'chart',
    name: `loss-${network}`,
    title: `${titleOf(network)}: training loss`,
    subtitle: `One seed, the same start and batches for all; medians and quartiles of ${WINDOW} steps each`,
    caption: `Lower is better. Bands show how batches differ, not seeds: there is one run of each.`,
    x: { title: 'Training step', log: false },
    y: { title: 'Training loss of the batch (log scale)', log: true, maximum: 10 },
    dots: false,
    series: runs.map((run) => ({
      name: nameOf(run),
      role: roleOf(run),
      points: windows.map((from) =>
        seriesPoint(from + WINDOW / 2, quartilesOf(run.losses.slice(from, from + WINDOW)), 1),
      ),
    })),
  };
}

function lossTable(runs: readonly Run[]): TablePart {
  return {
    kind: 'table',
    name: 'losses',
    title: `Means over the first and the last ${ENDS} steps, and images that were held out`,
    columns: tableColumns(
      'network',
      ['optimizer', 'text'],
      ['first steps', 'loss'],
      ['last steps', 'loss'],
      ['held out: loss', 'loss'],
      ['held out: top-1', 'percent'],
      ['parameters', 'count'],
    ),
    rows: runs.map((run) => [
      titleOf(run.network),
      nameOf(run),
      finiteOrNull(startOf(run)),
      finiteOrNull(endOf(run)),
      run.evaluation === null ? null : finiteOrNull(run.evaluation.loss),
      run.evaluation?.top1 ?? null,
      run.parameters,
    ]),
  };
}

function findings(network: string, runs: readonly Run[]): Finding[] {
  const title = titleOf(network);
  const own = runs.find(asItComes);
  const others = runs.filter(({ learningRate }) => learningRate !== null);
  if (!own || others.length === 0) return [];
  const best = others.reduce((a, b) => (endOf(b) < endOf(a) ? b : a));
  const ratio = endOf(own) / endOf(best);
  const highest = Math.max(
    ...own.losses.map((_, i) => mean(own.losses.slice(Math.max(0, i - ENDS + 1), i + 1))).slice(ENDS - 1),
  );
  return [
    {
      expected: `${title} trains: the loss of the last ${ENDS} steps is at most half that of the first ${ENDS}`,
      measured: `${formatLoss(startOf(own))}, then ${formatLoss(endOf(own))}`,
      holds: endOf(own) <= startOf(own) / 2,
    },
    {
      expected: `${title} trains stably: no mean of ${ENDS} steps in a row is more than 10 % above that of the first ${ENDS}`,
      measured: `highest ${formatLoss(highest)}`,
      holds: highest <= 1.1 * startOf(own),
    },
    {
      expected: `${title}: the loss of the last ${ENDS} steps is at most ${COMPARABLE} times that of Adam at the best of its rates`,
      measured: `${ratio.toPrecision(3)} times: ${formatLoss(endOf(own))}, ${nameOf(best)} ${formatLoss(endOf(best))}`,
      holds: ratio <= COMPARABLE,
    },
  ];
}

/** Figure 4b: networks of the size of ImageNet's. */
export const imagenetScale: Experiment = {
  name: 'imagenet-scale',
  title: 'Large networks',
  figure: 'Figure 4b',
  drawsMeasurements: true,
  claim:
    'The learned optimizer trains Inception V3 and ResNet V2 on ImageNet for thousands of steps, problems of a vastly different scale than those it was meta-trained on.',
  method:
    'The same two architectures on MNIST scaled up to colour images, since ImageNet’s own images cannot be had with a package, for a few hundred steps. Beside what the abstract claims, Adam at five rates is the measure of how well. Nothing is trained when the experiment runs: it draws the runs that the repository holds.',
  run(context: ExperimentContext) {
    const { settings, runs } = readMeasurements<Comparison>(context.resultsDir, FILE, 'runs', COMMAND);
    const networks = [...new Set(runs.map(({ network }) => network))];
    const of = (network: string): Run[] => runs.filter((run) => run.network === network);
    const variants = [...new Set(runs.filter((run) => roleOf(run) === 'variant').map(nameOf))];
    const machines = [...new Set(runs.map(({ machine, backend }) => `${machine}; ${backend}`))];
    return Promise.resolve({
      settings: [
        [`bench/results/${FILE}`, `trained with: ${COMMAND}; on ${machines.join('; ')}`],
        ...Object.entries(settings).map(([name, value]): [string, string] => [name, String(value)]),
      ],
      findings: networks.flatMap((network) => findings(network, of(network))),
      notes: [
        'Not ImageNet: MNIST’s digits, scaled. A few hundred steps, of which the warm-up takes 150, one seed.',
        ...variants.map(
          (name) =>
            `“${name}” is the learned optimizer with its steps multiplied by that number (option learningRateMultiplier) and without warm-up, a number chosen by hand; the statements are about the optimizer as it comes.`,
        ),
        'A held-out loss that is far above the training loss comes of the moving averages of the batch normalisations, which evaluation uses and a fast change of the activations leaves behind.',
      ],
      parts: [...networks.map((network) => curveChart(network, of(network))), lossTable(runs)],
    });
  },
};
