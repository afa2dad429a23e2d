import type { Contestant } from './contestants';
import type { Case } from './cases';
import type { Measurement } from './measure';
import { median, medianAbsoluteDeviation } from './statistics';
import type { ScalingRow } from './scaling';
import type { Overhead } from './overhead';
import type { SmallStep } from './smallStep';

/** One comparison, as it is written to the JSON file. */
export interface Row {
  /** The learned optimizer's interface: arrays, or a backend of TensorFlow.js. */
  readonly name: string;
  readonly against: string;
  readonly parameters: number;
  readonly tensors: number;
  readonly threads: number;
  /** Medians over the rounds. */
  readonly nsPerParameter: number;
  readonly againstNsPerParameter: number;
  /** Median of the ratios learned / against of each round, and their median absolute deviation. */
  readonly ratio: number;
  readonly mad: number;
  readonly rounds: number;
}

/** What a worker reports, message by message. */
export type Message =
  | { readonly kind: 'backend'; readonly description: string }
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'row'; readonly row: Row }
  | { readonly kind: 'smallStep'; readonly smallStep: SmallStep }
  | { readonly kind: 'scaling'; readonly row: ScalingRow }
  | { readonly kind: 'overhead'; readonly overhead: Overhead }
  | { readonly kind: 'skipped'; readonly text: string }
  /** A result was wrong. */
  | { readonly kind: 'failed'; readonly text: string };

const nanosecondsPerParameter = (measured: Case, milliseconds: number): number =>
  (milliseconds * 1e6) / measured.parameters;

/** Rows of one case: every learned contestant against the one that is not. */
export function rowsOf(measured: Case, threads: number, measurements: readonly Measurement[]): Row[] {
  const isBaseline = ({ contestant }: { readonly contestant: Contestant }): boolean => !contestant.learned;
  const baseline = measurements.find(isBaseline)!;
  return measurements
    .filter((m) => !isBaseline(m))
    .map(({ contestant, rounds }) => {
      const ratios = rounds.map((time, round) => time / baseline.rounds[round]);
      return {
        name: contestant.name,
        against: baseline.contestant.name,
        parameters: measured.parameters,
        tensors: measured.lengths.length,
        threads,
        nsPerParameter: nanosecondsPerParameter(measured, median(rounds)),
        againstNsPerParameter: nanosecondsPerParameter(measured, median(baseline.rounds)),
        ratio: median(ratios),
        mad: medianAbsoluteDeviation(ratios),
        rounds: rounds.length,
      };
    });
}
