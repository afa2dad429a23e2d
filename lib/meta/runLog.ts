import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { writeFileAtomic } from '../atomicFile';
import type { DroppedPart } from './parts';
import type { MetaTrainingProgress } from './trainer';

/** Quality of weights on problems that steer the choice among snapshots; lower is better. */
export interface Validation {
  readonly score: number;
  readonly rows: unknown;
}

/** What meta-training reports every few iterations. */
export interface LogEntry extends Pick<
  MetaTrainingProgress,
  'iteration' | 'phase' | 'seconds' | 'innerSteps' | 'rate' | 'gradientNorm' | 'longestHorizon'
> {
  /** Trajectories given up since the entry before. */
  readonly failures: number;
  /** Parts that nobody could compute since the entry before; absent without any. */
  readonly dropped?: readonly (DroppedPart & { readonly iteration: number })[];
  /** Mean meta-loss per family since the entry before. */
  readonly losses: Readonly<Record<string, number>>;
}

/** How good the snapshot of an iteration is. */
export interface ValidationEntry {
  readonly iteration: number;
  readonly validation: Validation;
}

type Line = LogEntry | ValidationEntry;

const isValidation = (line: Line): line is ValidationEntry => 'validation' in line;

/** The log of a run: a file of JSON lines, entries and validations, in the order of the iterations. */
export class RunLog {
  /** @param path the file, which need not exist yet */
  constructor(readonly path: string) {}

  /** All lines. A last one that was cut off by a kill is left out. */
  private lines(): Line[] {
    if (!existsSync(this.path)) return [];
    return readFileSync(this.path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  }

  entries(): LogEntry[] {
    return this.lines().filter((line): line is LogEntry => !isValidation(line));
  }

  validations(): ValidationEntry[] {
    return this.lines().filter(isValidation);
  }

  append(line: Line): void {
    appendFileSync(this.path, `${JSON.stringify(line)}\n`);
  }

  /** Drops what was logged after an iteration. */
  keepUntil(last: number): void {
    const kept = this.lines().filter(({ iteration }) => iteration <= last);
    writeFileAtomic(this.path, Buffer.from(kept.map((line) => `${JSON.stringify(line)}\n`).join('')));
  }
}
