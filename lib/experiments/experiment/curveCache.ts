import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../atomicFile';
import type { RunKey } from '../comparison/runCache';
import { formatRate } from '../format';
import type { Curve } from './curve';

const FORMAT = 'learned-optimizer-curves';
/** Milliseconds between writes of one file: a process that is killed loses no more than the runs of this time. */
const SAVE_EVERY = 1000;

const keyText = ({ fingerprint, optimizer, rate, seed, steps }: RunKey): string =>
  [fingerprint, optimizer, formatRate(rate), seed, steps].join(' ');

/** Five digits are more than seeds agree on. */
const short = (value: number): number => Number(value.toPrecision(5));
const encode = ({ losses, accuracy, seconds }: Curve): unknown[] => [
  losses.map((loss) => (Number.isFinite(loss) ? short(loss) : null)),
  accuracy === null ? null : short(accuracy),
  short(seconds),
];

function decode(value: unknown, where: string): Curve {
  const isNumberOrNull = (v: unknown): boolean => v === null || typeof v === 'number';
  const valid =
    Array.isArray(value) &&
    value.length === 3 &&
    Array.isArray(value[0]) &&
    value[0].length > 0 &&
    value[0].every(isNumberOrNull) &&
    isNumberOrNull(value[1]) &&
    typeof value[2] === 'number';
  if (!valid) throw new RangeError(`${where}: expected [losses, accuracy, seconds], got ${JSON.stringify(value)}`);
  const [losses, accuracy, seconds] = value as [(number | null)[], number | null, number];
  return { losses: losses.map((loss) => loss ?? Infinity), accuracy, seconds };
}

function readCurves(path: string): Map<string, Curve> {
  const curves = new Map<string, Curve>();
  if (!existsSync(path)) return curves;
  let document: { format?: unknown; runs?: unknown };
  try {
    document = JSON.parse(readFileSync(path, 'utf8')) as typeof document;
  } catch (error) {
    throw new RangeError(`${path}: expected JSON of runs, got ${(error as Error).message}; remove it to run anew`, {
      cause: error,
    });
  }
  if (document?.format !== FORMAT || typeof document.runs !== 'object' || document.runs === null) {
    throw new RangeError(`${path}: expected a document of format '${FORMAT}' with runs; remove it to run anew`);
  }
  for (const [key, value] of Object.entries(document.runs)) curves.set(key, decode(value, `${path}: ${key}`));
  return curves;
}

interface TaskFile {
  readonly path: string | undefined;
  readonly curves: Map<string, Curve>;
  savedAt: number;
  unsaved: boolean;
}

/**
 * Curves of finished runs, in memory and in a folder with one JSON file per task and one run per line, so that an experiment
 * goes on where it was stopped. A run is found again by all that determines it: task, its network and data (fingerprint),
 * optimizer and weights, rate, seed, steps.
 */
export class CurveCache {
  readonly #files = new Map<string, TaskFile>();

  /** @param folder need not exist yet; without one runs are kept in memory only. */
  constructor(private readonly folder?: string) {}

  /** @throws {RangeError} if the task's file holds something else */
  get(key: RunKey): Curve | undefined {
    return this.#file(key.task).curves.get(keyText(key));
  }

  /** Keeps the curve, rounded to five digits, and returns it so. Writes the task's file at most once a second. */
  add(key: RunKey, curve: Curve): Curve {
    const file = this.#file(key.task);
    const rounded = decode(encode(curve), keyText(key));
    file.curves.set(keyText(key), rounded);
    file.unsaved = true;
    if (performance.now() - file.savedAt > SAVE_EVERY) save(file);
    return rounded;
  }

  /** Writes all that is not written yet. Runs that another process has written meanwhile are kept. */
  save(): void {
    for (const file of this.#files.values()) save(file);
  }

  #file(task: string): TaskFile {
    let file = this.#files.get(task);
    if (!file) {
      const path = this.folder === undefined ? undefined : join(this.folder, `${fileName(task)}.json`);
      file = { path, curves: path === undefined ? new Map() : readCurves(path), savedAt: -Infinity, unsaved: false };
      this.#files.set(task, file);
    }
    return file;
  }
}

/** The task's name, as a file may be called; names that had to be changed stay apart by a hash. */
function fileName(task: string): string {
  const plain = task.replace(/[^\w.-]+/g, '_');
  return plain === task ? task : `${plain}-${createHash('sha256').update(task).digest('hex').slice(0, 8)}`;
}

function save(file: TaskFile): void {
  if (!file.unsaved) return;
  if (file.path !== undefined) {
    for (const [key, curve] of readCurves(file.path)) if (!file.curves.has(key)) file.curves.set(key, curve);
    const lines = [...file.curves]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, curve]) => `  ${JSON.stringify(key)}: ${JSON.stringify(encode(curve))}`);
    writeFileAtomic(file.path, Buffer.from(`{"format": "${FORMAT}", "runs": {\n${lines.join(',\n')}\n}}\n`));
  }
  file.unsaved = false;
  file.savedAt = performance.now();
}
