import type { Spread } from './quantiles';

/** One point of a series. What is not finite, such as the loss of a diverged run, is null: JSON has no infinity. */
export interface SeriesPoint {
  readonly x: number;
  readonly median: number | null;
  /** Spread over the runs; equal to the median where there is one run. */
  readonly low: number | null;
  readonly high: number | null;
  readonly runs: number;
}

export interface SeriesData {
  readonly name: string;
  /** The learned optimizer, variants of it, others in order, or a level to compare with: decides the style of the line. */
  readonly role: 'learned' | 'variant' | 'other' | 'level';
  readonly points: readonly SeriesPoint[];
}

export interface AxisData {
  /** With unit where there is one. */
  readonly title: string;
  readonly log: boolean;
  /** Where a logarithmic x axis is labelled; the first and the last are the ends of any axis. Without: by the data. */
  readonly ticks?: readonly number[];
  /** Values beyond are drawn at this end of the axis. */
  readonly maximum?: number;
}

/** A picture: series over a common x axis. */
export interface ChartPart {
  readonly kind: 'chart';
  /** Of its files, unique in the experiment: letters, digits and hyphens. */
  readonly name: string;
  readonly title: string;
  readonly subtitle: string;
  /** What the spread is and how to read the picture. */
  readonly caption: string;
  readonly x: AxisData;
  readonly y: AxisData;
  /** Draw every point, not only the line. */
  readonly dots: boolean;
  readonly series: readonly SeriesData[];
}

/** A picture: a line of dots, one a run, for every row. */
export interface DotPlotPart {
  readonly kind: 'dots';
  /** Of its files, as that of a chart. */
  readonly name: string;
  readonly title: string;
  readonly subtitle: string;
  readonly caption: string;
  /** Title of the x axis, with unit where there is one. */
  readonly x: string;
  /** Of all rows, the one that the others are compared with is first and 'learned'. */
  readonly rows: readonly {
    readonly name: string;
    readonly role: SeriesData['role'];
    /** What is not finite is null and not drawn. */
    readonly values: readonly (number | null)[];
  }[];
}

export type ColumnFormat = 'text' | 'loss' | 'rate' | 'percent' | 'ratio' | 'count' | 'number';

export type Cell = string | number | null;

/** A table of raw values; the format says how a reader sees them. */
export interface TablePart {
  readonly kind: 'table';
  readonly name: string;
  readonly title: string;
  readonly columns: readonly { readonly title: string; readonly format: ColumnFormat }[];
  /** A number that is not finite is null and reads "diverged" in a loss. */
  readonly rows: readonly (readonly Cell[])[];
}

export type PicturePart = ChartPart | DotPlotPart;
export type Part = PicturePart | TablePart;

/** One thing that the paper claims, as a condition on our numbers, and what they are. All computed from the data. */
export interface Finding {
  readonly expected: string;
  readonly measured: string;
  /** null: the data do not decide it. */
  readonly holds: boolean | null;
}

/** What an experiment gives: plain JSON. */
export interface ExperimentResult {
  /** What was run: name and value of each setting. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  readonly findings: readonly Finding[];
  /** What a reader should know before drawing conclusions. */
  readonly notes: readonly string[];
  readonly parts: readonly Part[];
}

/** A number as JSON has it. */
export const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** A point of a series from the spread of so many runs. */
export function seriesPoint(x: number, { median, low, high }: Spread, runs: number): SeriesPoint {
  return { x, median: finiteOrNull(median), low: finiteOrNull(low), high: finiteOrNull(high), runs };
}

/** Columns of a table: a text first, then numbers of these formats. */
export function tableColumns(
  first: string,
  ...others: readonly (readonly [string, ColumnFormat])[]
): TablePart['columns'] {
  return [{ title: first, format: 'text' }, ...others.map(([title, format]) => ({ title, format }))];
}
