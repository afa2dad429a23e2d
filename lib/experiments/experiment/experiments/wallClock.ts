import type { Experiment, ExperimentContext } from '../experiment';
import { readMeasurements } from '../measurements';
import { seriesPoint, tableColumns, type ChartPart, type Finding, type SeriesData, type TablePart } from '../result';

/** A row of the benchmark's file (`bench/training/results.ts`), as far as it is used here. Milliseconds are medians over rounds. */
interface Row {
  readonly network: string;
  readonly size: number;
  readonly batchSize: number;
  readonly optimizer: string;
  readonly milliseconds: number;
  readonly millisecondsMad: number;
  readonly adamMilliseconds: number;
  readonly adamMillisecondsMad: number;
  readonly ratio: number;
  readonly ratioMad: number;
  readonly rounds: number;
}

interface Measurements {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly backend: string;
  readonly rows: readonly Row[];
}

const FILES = [
  {
    file: 'training-linux-x64.json',
    command: 'npm run bench:training -- --json bench/results/training-linux-x64.json',
  },
  {
    file: 'training-299-linux-x64.json',
    command:
      'npm run bench:training -- --size 299 --batch-sizes 1,4,16 --json bench/results/training-299-linux-x64.json',
  },
] as const;

const TITLES: Readonly<Record<string, string>> = { inceptionv3: 'Inception V3', resnet50v2: 'ResNet V2 50' };
const titleOf = (network: string): string => TITLES[network] ?? network;
/** A step that takes at most so many times as long as with Adam counts as about as long. */
const ABOUT_AS_LONG = 1.1;

/** Rows of the learned optimizer as it comes, by network and size of images, each by batch size. */
function curves(rows: readonly Row[]): { network: string; size: number; rows: Row[] }[] {
  const plain = rows.filter(({ optimizer }) => optimizer === 'learned');
  const found: { network: string; size: number; rows: Row[] }[] = [];
  for (const row of plain) {
    const curve = found.find(({ network, size }) => network === row.network && size === row.size);
    if (curve) curve.rows.push(row);
    else found.push({ network: row.network, size: row.size, rows: [row] });
  }
  for (const { rows: of } of found) of.sort((a, b) => a.batchSize - b.batchSize);
  return found.sort((a, b) => a.size - b.size || (a.network < b.network ? -1 : 1));
}

type Curve = ReturnType<typeof curves>[number];

const around = (value: number, deviation: number) => ({
  median: value,
  low: value - deviation,
  high: value + deviation,
});

const batchAxis = (all: readonly Curve[]): ChartPart['x'] => ({
  title: 'Images per batch (log scale)',
  log: true,
  ticks: [...new Set(all.flatMap(({ rows }) => rows.map(({ batchSize }) => batchSize)))].sort((a, b) => a - b),
});

function timeChart(network: string, all: readonly Curve[]): ChartPart {
  const own = all.filter((curve) => curve.network === network);
  const series = own.flatMap(({ size, rows }, i): SeriesData[] => [
    {
      name: `learned, ${size} pixels`,
      role: i === 0 ? 'learned' : 'variant',
      points: rows.map((r) => seriesPoint(r.batchSize, around(r.milliseconds, r.millisecondsMad), r.rounds)),
    },
    {
      name: `Adam, ${size} pixels`,
      role: 'other',
      points: rows.map((r) => seriesPoint(r.batchSize, around(r.adamMilliseconds, r.adamMillisecondsMad), r.rounds)),
    },
  ]);
  return {
    kind: 'chart',
    name: `step-time-${network}`,
    title: `${titleOf(network)}: time of a whole training step`,
    subtitle: 'trainOnBatch on tfjs-node: forward pass, backward pass, update; median of rounds in turns',
    caption:
      'Bands are median absolute deviations over the rounds. The nearer the two lines of a size, the less the optimizer costs.',
    x: batchAxis(all),
    y: { title: 'Milliseconds per step (log scale)', log: true },
    dots: true,
    series,
  };
}

function ratioChart(all: readonly Curve[]): ChartPart {
  const x = batchAxis(all);
  const ends = [x.ticks![0], x.ticks![x.ticks!.length - 1]];
  const roles = ['learned', 'variant'] as const;
  return {
    kind: 'chart',
    name: 'overhead',
    title: 'What the learned optimizer adds to a training step',
    subtitle: 'Time of a step as a multiple of Adam’s; median of the ratios of rounds in turns',
    caption: 'Bands are median absolute deviations over the rounds. 1 is as long as with Adam.',
    x,
    y: { title: 'Time of a step / with Adam', log: false },
    dots: true,
    series: [
      ...all.map(({ network, size, rows }, i): SeriesData => ({
        name: `${titleOf(network)}, ${size} pixels`,
        role: roles[i] ?? 'other',
        points: rows.map((r) => seriesPoint(r.batchSize, around(r.ratio, r.ratioMad), r.rounds)),
      })),
      { name: 'as Adam', role: 'level', points: ends.map((end) => seriesPoint(end, around(1, 0), 0)) },
    ],
  };
}

function timeTable(all: readonly Curve[]): TablePart {
  return {
    kind: 'table',
    name: 'step-times',
    title: 'Whole training steps',
    columns: tableColumns(
      'network',
      ['pixels', 'count'],
      ['batch', 'count'],
      ['learned, ms', 'count'],
      ['Adam, ms', 'count'],
      ['learned / Adam', 'number'],
      ['± MAD', 'number'],
      ['rounds', 'count'],
    ),
    rows: all.flatMap(({ network, size, rows }) =>
      rows.map((r) => [
        titleOf(network),
        size,
        r.batchSize,
        r.milliseconds,
        r.adamMilliseconds,
        r.ratio,
        r.ratioMad,
        r.rounds,
      ]),
    ),
  };
}

function findings({ network, size, rows }: Curve): Finding[] {
  const [smallest, largest] = [rows[0], rows[rows.length - 1]];
  const name = `${titleOf(network)}, ${size} pixels`;
  const times = (row: Row): string => `${row.ratio.toFixed(2)} (± ${row.ratioMad.toFixed(2)})`;
  return [
    {
      expected: `${name}: the overhead is smaller with ${largest.batchSize} images per batch than with ${smallest.batchSize}`,
      measured: `${times(smallest)} times Adam’s step with ${smallest.batchSize}, ${times(largest)} with ${largest.batchSize}`,
      // A difference within the scatter of both decides nothing.
      holds:
        Math.abs(largest.ratio - smallest.ratio) < largest.ratioMad + smallest.ratioMad
          ? null
          : largest.ratio < smallest.ratio,
    },
    {
      expected: `${name}: with ${largest.batchSize} images per batch a step takes at most ${ABOUT_AS_LONG} times as long as with Adam`,
      measured: times(largest),
      holds: largest.ratio <= ABOUT_AS_LONG,
    },
  ];
}

/** Figure 7: what the optimizer costs in time. */
export const wallClock: Experiment = {
  name: 'wall-clock',
  title: 'Time of a training step against the batch size',
  figure: 'Figure 7',
  drawsMeasurements: true,
  claim:
    'The learned optimizer’s overhead does not grow with the batch: the larger the batch, the less it matters, until a training step takes about as long as with Adam.',
  method:
    'Whole training steps of Inception V3 and ResNet V2 50 on tfjs-node, with the learned optimizer and with Adam in turns. Nothing is measured when the experiment runs: it draws what the benchmark of the repository has measured.',
  run(context: ExperimentContext) {
    const measured = FILES.map(({ file, command }) => ({
      file,
      command,
      ...readMeasurements<Measurements>(context.resultsDir, file, 'rows', command),
    }));
    const all = curves(measured.flatMap(({ rows }) => rows));
    const networks = [...new Set(all.map(({ network }) => network))];
    return Promise.resolve({
      settings: measured.flatMap(({ file, command, machine, backend }): [string, string][] => [
        [
          `bench/results/${file}`,
          `measured with: ${command}; on ${Object.entries(machine)
            .map(([name, value]) => `${name} ${value}`)
            .join(', ')}; ${backend}`,
        ],
      ]),
      findings: all.flatMap(findings),
      notes: [
        'The rows of 299 pixels are of another machine than those of 75 (docs/performance.md).',
        'Processor only. The paper’s figure is of its authors’ implementation on their hardware.',
      ],
      parts: [ratioChart(all), ...networks.map((network) => timeChart(network, all)), timeTable(all)],
    });
  },
};
