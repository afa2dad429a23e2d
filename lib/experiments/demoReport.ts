import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lineChartSpec, renderChart, type LineChart } from './chart';
import type { DemoResult } from './demo';
import { formatCount, formatLoss, formatPercent, formatRatio, formatSeconds } from './format';
import { comparisonStyle, LEARNED_STYLE } from './lineStyles';
import { reportHtml, type Report } from './report';
import { columns, type Table } from './table';

/** The comparison as a table. */
export function demoTable(result: DemoResult): Table {
  return {
    columns: columns('optimizer', 'training loss', 'test accuracy', 'steps/s', 'time'),
    rows: result.runs.map((run) => [
      run.optimizer,
      formatLoss(run.finalLoss),
      formatPercent(run.testAccuracy),
      formatCount(run.stepsPerSecond),
      formatSeconds(run.seconds),
    ]),
  };
}

const networkName = (result: DemoResult): string => result.network.join('-');

/** How the learned optimizer did beside the best of the others, in one sentence. */
export function demoSummary(result: DemoResult): string {
  const [learned, ...others] = result.runs;
  const finite = others.filter((run) => Number.isFinite(run.finalLoss));
  const after = `After ${formatCount(result.steps)} steps`;
  if (finite.length === 0 || !Number.isFinite(learned.finalLoss)) {
    return `${after} the learned optimizer has a training loss of ${formatLoss(learned.finalLoss)}.`;
  }
  const best = finite.reduce((a, b) => (b.finalLoss < a.finalLoss ? b : a));
  const ratio = formatRatio(best.finalLoss / learned.finalLoss);
  return `${after} the learned optimizer has a training loss of ${formatLoss(learned.finalLoss)}; the best of the others, ${best.optimizer}, has ${formatLoss(best.finalLoss)} (${ratio} as much).`;
}

/** The learning curves. */
export function demoChart(result: DemoResult): LineChart {
  const images =
    result.evaluationImages >= 10_000
      ? `the first ${formatCount(result.evaluationImages)}`
      : `all ${formatCount(result.evaluationImages)}`;
  return {
    title: `${result.title}: training loss of a ${networkName(result)} network`,
    subtitle: `Mean cross entropy over ${images} training images; batches of ${result.batchSize}, same start and same batches for all`,
    xTitle: 'Training step',
    yTitle: 'Training loss (log scale)',
    logY: true,
    series: result.runs.map((run, index) => ({
      name: run.optimizer,
      style: index === 0 ? LEARNED_STYLE : comparisonStyle(index - 1),
      points: run.losses.map(({ step, loss }) => ({ x: step, y: loss })),
    })),
  };
}

function demoReport(result: DemoResult, command: string, environment: Environment, svg: string | undefined): Report {
  return {
    title: `Learned optimizer: ${result.title}`,
    summary: demoSummary(result),
    table: demoTable(result),
    chart: svg === undefined ? undefined : { svg, caption: 'Lower is better. The vertical axis is logarithmic.' },
    settings: [
      ['Data', result.provenance],
      [
        'Network',
        `${networkName(result)}, relu, ${formatCount(result.parameters)} parameters, He start, softmax cross entropy`,
      ],
      ['Training', `${formatCount(result.steps)} steps, batches of ${result.batchSize}, seed ${result.seed}`],
      ...result.runs.map((run) => [run.optimizer, run.setting] as const),
      ['Backend', environment.backend],
      ['Machine', environment.machine],
      ['Package', environment.version],
      ['Date', environment.date],
    ],
    command,
    notes: [
      'Adam, RMSProp and SGD with momentum run at the settings that people start with. Tuned for this problem they do better; the command "learned-optimizer evaluate" compares with a tuned Adam.',
      'Steps per second count gradients and updates, not evaluations; the time is that of the whole run.',
      'One seed is one sample: repeat with --seed to see the spread.',
    ],
  };
}

/** Where a run took place. */
export interface Environment {
  readonly backend: string;
  readonly machine: string;
  readonly version: string;
  readonly date: string;
}

export interface DemoFiles {
  readonly json: string;
  readonly report: string;
  readonly svg?: string;
  readonly png?: string;
  /** False if the PNG lacks its text because the machine has no fonts. */
  readonly pngHasText?: boolean;
}

/**
 * Writes `results.json`, `report.html` and, unless `withChart` is false, `learning-curves.svg` and `.png` into a folder,
 * which is made if it does not exist.
 */
export async function writeDemo(
  result: DemoResult,
  options: {
    readonly out: string;
    readonly command: string;
    readonly environment: Environment;
    readonly withChart: boolean;
  },
): Promise<DemoFiles> {
  const { out, command, environment } = options;
  await mkdir(out, { recursive: true });
  const path = (name: string): string => join(out, name);
  const chart = options.withChart ? await renderChart(lineChartSpec(demoChart(result))) : undefined;
  const files: DemoFiles = { json: path('results.json'), report: path('report.html') };
  await writeFile(files.json, `${JSON.stringify({ ...result, environment, command }, null, 2)}\n`);
  await writeFile(files.report, reportHtml(demoReport(result, command, environment, chart?.svg)));
  if (!chart) return files;
  const pictures = { svg: path('learning-curves.svg'), png: path('learning-curves.png') };
  await writeFile(pictures.svg, chart.svg);
  await writeFile(pictures.png, chart.png);
  return { ...files, ...pictures, pngHasText: chart.hasText };
}
