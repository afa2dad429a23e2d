import { existsSync, readFileSync } from 'node:fs';
import { writeFileAtomic } from '../../atomicFile';
import { formatRate } from '../format';
import type { Outcome, RunMetrics } from '../metrics';

/** What determines a training run. */
export interface RunKey {
  readonly task: string;
  /** Of the task's network, data and evaluation. */
  readonly fingerprint: string;
  readonly optimizer: string;
  readonly rate: number;
  readonly seed: number;
  readonly steps: number;
}

const FORMAT = 'learned-optimizer-runs';
const OUTCOMES: readonly Outcome[] = ['trained', 'stuck', 'diverged'];

const keyText = ({ task, fingerprint, optimizer, rate, seed, steps }: RunKey): string =>
  [task, fingerprint, optimizer, formatRate(rate), seed, steps].join(' ');

/** Five digits are more than seeds agree on; infinity has no JSON and becomes null. */
const short = (value: number): number | null => (Number.isFinite(value) ? Number(value.toPrecision(5)) : null);

/**
 * Metrics of finished runs, in memory and in a JSON file with one run per line, so that an evaluation continues where it
 * was stopped and baselines are trained once.
 */
export class RunCache {
  readonly #runs: Map<string, RunMetrics>;
  readonly #shipped: ReadonlyMap<string, RunMetrics>;
  readonly #path: string | undefined;
  #unsaved = 0;
  #savedAt = performance.now();

  /**
   * @param path the file, which need not exist yet; without one runs are kept in memory only.
   * @param shipped a file whose runs count as done too and are not copied; it need not exist.
   * @throws {RangeError} if a file is no cache of runs.
   */
  constructor(path?: string, shipped?: string) {
    this.#path = path;
    this.#runs = readRuns(path);
    this.#shipped = readRuns(shipped);
  }

  /** Runs of this cache's own file. */
  get size(): number {
    return this.#runs.size;
  }

  get(key: RunKey): RunMetrics | undefined {
    const text = keyText(key);
    return this.#runs.get(text) ?? this.#shipped.get(text);
  }

  /** Keeps the run, rounded to five digits, and returns it so. Writes the file now and then. */
  add(key: RunKey, metrics: RunMetrics): RunMetrics {
    const text = keyText(key);
    const rounded = decode(encode(metrics), text);
    this.#runs.set(text, rounded);
    this.#unsaved++;
    if (performance.now() - this.#savedAt > 10_000) this.save();
    return rounded;
  }

  /**
   * Writes the file if a run is not in it yet. Runs that another process has written there meanwhile are kept, so that
   * several evaluations may share a file.
   */
  save(): void {
    if (this.#path === undefined || this.#unsaved === 0) return;
    for (const [key, metrics] of readRuns(this.#path)) if (!this.#runs.has(key)) this.#runs.set(key, metrics);
    const lines = [...this.#runs]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, metrics]) => `  ${JSON.stringify(key)}: ${JSON.stringify(encode(metrics))}`);
    const text = `{"format": "${FORMAT}", "runs": {\n${lines.join(',\n')}\n}}\n`;
    writeFileAtomic(this.#path, Buffer.from(text));
    this.#unsaved = 0;
    this.#savedAt = performance.now();
  }
}

function readRuns(path: string | undefined): Map<string, RunMetrics> {
  const runs = new Map<string, RunMetrics>();
  if (path === undefined || !existsSync(path)) return runs;
  let document: { format?: unknown; runs?: unknown };
  try {
    document = JSON.parse(readFileSync(path, 'utf8')) as typeof document;
  } catch (error) {
    throw new RangeError(`${path}: expected JSON of runs, got ${(error as Error).message}`, { cause: error });
  }
  if (document?.format !== FORMAT || typeof document.runs !== 'object' || document.runs === null) {
    throw new RangeError(`${path}: expected a document of format '${FORMAT}' with runs`);
  }
  for (const [key, value] of Object.entries(document.runs)) runs.set(key, decode(value, `${path}: ${key}`));
  return runs;
}

/** [outcome, initial loss, final loss, mean log loss, late change] */
function encode(metrics: RunMetrics): unknown[] {
  const { outcome, initialLoss, finalLoss, meanLogLoss, lateChange } = metrics;
  return [outcome, short(initialLoss), short(finalLoss), short(meanLogLoss), short(lateChange)];
}

function decode(value: unknown, where: string): RunMetrics {
  const valid =
    Array.isArray(value) &&
    value.length === 5 &&
    OUTCOMES.includes(value[0] as Outcome) &&
    value.slice(1).every((v) => v === null || typeof v === 'number');
  if (!valid) {
    throw new RangeError(`${where}: expected [outcome, initial, final, mean log, late change], got ${String(value)}`);
  }
  const [initialLoss, finalLoss, meanLogLoss, lateChange] = value
    .slice(1)
    .map((v: number | null) => v ?? Infinity) as number[];
  return { outcome: value[0] as Outcome, initialLoss, finalLoss, meanLogLoss, lateChange };
}
