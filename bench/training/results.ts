import { existsSync, readFileSync } from 'node:fs';
import { writeFileAtomic } from '../../lib/atomicFile';
import { median, medianAbsoluteDeviation } from '../statistics';
import type { Timings } from './turns';

/** What is timed: a network on batches of one size. */
export interface Setting {
  readonly network: string;
  /** Height and width of the images. */
  readonly size: number;
  readonly batchSize: number;
}

/** One comparison with Adam. */
export interface Row extends Setting {
  readonly optimizer: string;
  readonly parameters: number;
  /** Trainable tensors, and how many of them the steps changed. */
  readonly tensors: number;
  readonly movedTensors: number;
  /** Milliseconds of `trainOnBatch`, medians over the rounds, and their median absolute deviations. */
  readonly milliseconds: number;
  readonly millisecondsMad: number;
  readonly adamMilliseconds: number;
  readonly adamMillisecondsMad: number;
  /** Median of the rounds' ratios optimizer / Adam, and its median absolute deviation. */
  readonly ratio: number;
  readonly ratioMad: number;
  /** The same of processor time, all threads together. */
  readonly cpuMilliseconds: number;
  readonly adamCpuMilliseconds: number;
  readonly cpuRatio: number;
  readonly cpuRatioMad: number;
  readonly rounds: number;
  /** The optimizer's first step, which allocates its state; it is in no median. */
  readonly firstMilliseconds: number;
  readonly loss: number;
  /** Largest resident memory of the process, with the networks of all its contestants. */
  readonly peakGiB: number;
}

export type Machine = Readonly<Record<string, string | number>>;

export interface Results {
  readonly machine: Machine;
  readonly backend: string;
  readonly rows: readonly Row[];
  /** What could not be measured, and why; it is tried again. */
  readonly skipped: readonly string[];
}

/** Facts about a network and a process that timings alone do not tell. */
export type Facts = Pick<Row, 'parameters' | 'tensors' | 'movedTensors' | 'peakGiB'>;

/** @throws {RangeError} if the two were not timed in the same rounds */
export function rowOf(setting: Setting, timings: Timings, adam: Timings, facts: Facts): Row {
  if (timings.rounds.length !== adam.rounds.length) {
    throw new RangeError(
      `rounds of ${timings.name}: expected ${adam.rounds.length}, as many as ${adam.name} has, got ${timings.rounds.length}`,
    );
  }
  const ratios = timings.rounds.map((time, round) => time / adam.rounds[round]);
  const cpuRatios = timings.cpuRounds.map((time, round) => time / adam.cpuRounds[round]);
  return {
    ...setting,
    optimizer: timings.name,
    ...facts,
    milliseconds: median(timings.rounds),
    millisecondsMad: medianAbsoluteDeviation(timings.rounds),
    adamMilliseconds: median(adam.rounds),
    adamMillisecondsMad: medianAbsoluteDeviation(adam.rounds),
    ratio: median(ratios),
    ratioMad: medianAbsoluteDeviation(ratios),
    cpuMilliseconds: median(timings.cpuRounds),
    adamCpuMilliseconds: median(adam.cpuRounds),
    cpuRatio: median(cpuRatios),
    cpuRatioMad: medianAbsoluteDeviation(cpuRatios),
    rounds: timings.rounds.length,
    firstMilliseconds: timings.firstMilliseconds,
    loss: timings.loss,
  };
}

const isOf = (row: Row, { network, size, batchSize }: Setting): boolean =>
  row.network === network && row.size === size && row.batchSize === batchSize;

/** The optimizers that have no row yet, or one of fewer rounds. */
export function missing(
  rows: readonly Row[],
  setting: Setting,
  optimizers: readonly string[],
  rounds: number,
): string[] {
  const done = rows.filter((row) => isOf(row, setting) && row.rounds >= rounds).map(({ optimizer }) => optimizer);
  return optimizers.filter((name) => !done.includes(name));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Rows with one more, in the place of an older one of the same setting and optimizer; sorted. */
export function withRow(rows: readonly Row[], row: Row): Row[] {
  const others = rows.filter((other) => !(isOf(other, row) && other.optimizer === row.optimizer));
  return [...others, row].sort(
    (a, b) =>
      compare(a.network, b.network) ||
      a.size - b.size ||
      compare(a.optimizer, b.optimizer) ||
      a.batchSize - b.batchSize,
  );
}

/**
 * Results of a file, without rows if there is none.
 * @throws {Error} naming the file if it holds something else, or rows of another machine or backend: a curve of two
 *   machines would tell nothing
 */
export function readResults(path: string | undefined, machine: Machine, backend: string): Results {
  if (path === undefined || !existsSync(path)) return { machine, backend, rows: [], skipped: [] };
  let found: Partial<Results>;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as Partial<Results>;
  } catch (error) {
    throw new Error(`${path}: expected results as JSON, got ${(error as Error).message}`, { cause: error });
  }
  if (!Array.isArray(found.rows)) throw new Error(`${path}: expected results with rows, got none`);
  const [expected, actual] = [
    { machine, backend },
    { machine: found.machine, backend: found.backend },
  ].map((value) => JSON.stringify(value));
  if (expected !== actual) {
    throw new Error(
      `${path}: expected rows of this machine, ${expected}, got ${actual}; name another file with --json`,
    );
  }
  return { machine, backend, rows: found.rows, skipped: [] };
}

export function writeResults(path: string, results: Results): void {
  writeFileAtomic(path, Buffer.from(`${JSON.stringify(results, null, 2)}\n`));
}
