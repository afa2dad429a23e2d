/** What the generation writes for the page and the page reads: the contract between both. */
import type { Architecture } from '../../../bindings/types';
import type { Annealing, Warmup } from '../../optimizer/schedule';
import type { EncodedDescent } from './codec';
import type { Baseline } from './descent';

/** Arrays as base64 of little-endian floats in single precision. */
export type PagedWeights = Readonly<Record<string, string | number>>;

/** The learned optimizer, for the browser. */
export interface PagedOptimizer {
  readonly name: string;
  readonly architecture: Architecture;
  /** `ParameterCellWeights` (bindings/types.ts). */
  readonly cell: PagedWeights;
  /** `LevelWeights` (bindings/types.ts). */
  readonly levels: PagedWeights;
  readonly warmup: Warmup;
  /** null: never. */
  readonly annealing: Annealing | null;
  /** null: any initial rate. */
  readonly initialLearningRateRange: readonly [number, number] | null;
}

/** `data/setting.js`: what all landscapes share. */
export interface PageSetting {
  readonly version: string;
  readonly seed: number;
  readonly steps: number;
  /** Of the slider, ascending. */
  readonly rates: readonly number[];
  /** Index of the rate that is shown first: the weights' own. */
  readonly firstRate: number;
  /** Slugs of the landscapes that there are files for. */
  readonly landscapes?: readonly string[];
  readonly learned: PagedOptimizer;
}

/** `data/<slug>.js`. */
export interface PageLandscape {
  readonly slug: string;
  readonly starts: readonly (readonly [number, number])[];
  /** The rate of each baseline that did best over the starts. */
  readonly tuned: Readonly<Record<Baseline['id'], number>>;
  /** For every rate of the slider, the index in the lists of `learned`. */
  readonly rateOf: readonly number[];
  /** [starts][distinct rates] */
  readonly learned: readonly (readonly EncodedDescent[])[];
}

/** How the files of data hand over what they hold: they are classic scripts, which work from file://. */
export const RECEIVER = 'learnedOptimizerLandscapes';

export interface Receiver {
  setting(value: PageSetting): void;
  landscape(value: PageLandscape): void;
}
