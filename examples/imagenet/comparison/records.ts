import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../../lib/atomicFile';
import { formatRate } from '../../../lib/experiments/format';
import type { ModelName } from '../models/index';
import type { Evaluation } from '../training/evaluate';
import type { OptimizerChoice } from '../training/optimizers';

/** A network with one of the optimizers. */
export interface Contender {
  readonly network: ModelName;
  readonly optimizer: OptimizerChoice['name'];
  /** Null for the learned optimizer, which has none. */
  readonly learningRate: number | null;
  /** Of the steps of the learned optimizer, which then has no warm-up. Absent: the optimizer as it comes. */
  readonly multiplier?: number;
}

/** What all runs have in common; the results of other settings cannot be put beside them. */
export interface Settings {
  readonly steps: number;
  readonly batchSize: number;
  /** Height and width of the images. */
  readonly size: number;
  readonly seed: number;
  readonly evaluationImages: number;
  /** Of the learned optimizer. */
  readonly preset: string;
  /** Fingerprint of the data. */
  readonly data: string;
}

/** A finished run: at the last step, or diverged before. */
export interface RunRecord extends Contender {
  readonly parameters: number;
  /** Of the batch of each step, before the step. */
  readonly losses: readonly number[];
  /** Milliseconds of `trainOnBatch` of each step; the first allocates the optimizer's state. */
  readonly stepMs: readonly number[];
  /** The step, counted from 1, whose loss was not finite; the run ended there. */
  readonly divergedAt: number | null;
  /** On images that are not trained on, after the last step; null when the run diverged. */
  readonly evaluation: Evaluation | null;
  readonly peakGiB: number;
  /** TensorFlow.js and its library. */
  readonly backend: string;
  /** Processor and number of cores: times of runs on different machines are no comparison. */
  readonly machine: string;
}

export interface Comparison {
  readonly settings: Settings;
  readonly runs: readonly RunRecord[];
}

export const COMPARISON_FILES = { runs: 'runs.json', curves: 'curves.csv' } as const;

/** `learned`, `learned ×0.03`, or `adam 3.16e-5`. */
export function contenderName({ optimizer, learningRate, multiplier }: Contender): string {
  if (multiplier !== undefined) return `${optimizer} ×${formatRate(multiplier)}`;
  return learningRate === null ? optimizer : `${optimizer} ${formatRate(learningRate)}`;
}

export function isSame(a: Contender, b: Contender): boolean {
  const of = ({ network, optimizer, learningRate, multiplier }: Contender): string =>
    [network, optimizer, learningRate, multiplier].join(' ');
  return of(a) === of(b);
}

/** Six digits of a loss and a tenth of a millisecond are more than repeat. */
const rounded = (record: RunRecord): RunRecord => ({
  ...record,
  losses: record.losses.map((loss) => Number(loss.toPrecision(6))),
  stepMs: record.stepMs.map((ms) => Number(ms.toFixed(1))),
});

/** JSON with a line for each run. */
function comparisonJson({ settings, runs }: Comparison): string {
  const lines = runs.map((run) => `    ${JSON.stringify(rounded(run))}`);
  return `{\n  "settings": ${JSON.stringify(settings)},\n  "runs": [\n${lines.join(',\n')}\n  ]\n}\n`;
}

/** One line for each step of each run. */
export function curvesCsv({ runs }: Comparison): string {
  const lines = runs.map(rounded).flatMap(({ network, optimizer, learningRate, multiplier, losses, stepMs }) =>
    // A loss that is not finite is left empty.
    losses.map((loss, i) =>
      [
        ...[network, optimizer, learningRate ?? '', multiplier ?? '', i + 1],
        ...[Number.isFinite(loss) ? loss : '', stepMs[i]],
      ].join(','),
    ),
  );
  return `${['network,optimizer,learning_rate,multiplier,step,loss,step_ms', ...lines].join('\n')}\n`;
}

/** Writes all data of a comparison into its folder, file by file whole. */
export function writeComparison(folder: string, comparison: Comparison): void {
  writeFileAtomic(join(folder, COMPARISON_FILES.curves), Buffer.from(curvesCsv(comparison)));
  writeFileAtomic(join(folder, COMPARISON_FILES.runs), Buffer.from(comparisonJson(comparison)));
}

/**
 * The comparison of a folder, without runs if there is none.
 * @throws {Error} naming the file and the setting that differs: runs of different settings are no comparison
 */
export function readComparison(folder: string, settings: Settings): Comparison {
  const path = join(folder, COMPARISON_FILES.runs);
  if (!existsSync(path)) return { settings, runs: [] };
  let found: Partial<Comparison>;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as Partial<Comparison>;
  } catch (error) {
    throw new Error(`${path}: expected runs as JSON, got ${(error as Error).message}`, { cause: error });
  }
  if (!Array.isArray(found.runs)) throw new Error(`${path}: expected runs, got none`);
  for (const [name, value] of Object.entries(settings)) {
    const other = (found.settings as unknown as Record<string, unknown> | undefined)?.[name];
    if (other !== value) {
      throw new Error(
        `${path}: expected ${name} ${String(value)}, got ${String(other)}; give the same options or name another folder with --out`,
      );
    }
  }
  // JSON has no NaN: the loss of a diverged run's last step was written as null.
  const runs = (found.runs as RunRecord[]).map((run) => ({ ...run, losses: run.losses.map((loss) => loss ?? NaN) }));
  return { settings, runs };
}
