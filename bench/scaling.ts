import { manySmallTensors, oneTensor } from './cases';
import type { Case } from './cases';
import { rawContestant } from './contestants';
import type { Contestant } from './contestants';
import { measure } from './measure';
import type { Effort } from './measure';
import { median, medianAbsoluteDeviation } from './statistics';

/** Parameters of the case that all others are compared with. */
const YARDSTICK = 1e6;
export const SCALING_SIZES: readonly number[] = [1e4, 1e5, 1e6, 1e7];
export const QUICK_SCALING_SIZES: readonly number[] = [1e4, 1e5, 1e6];
/** Takes 8 GB of memory. */
export const HUGE_SIZE = 1e8;

/** How the time of a step on arrays grows with the parameters, as it is written to the JSON file. */
export interface ScalingRow {
  readonly parameters: number;
  readonly tensors: number;
  readonly threads: number;
  /** Median over the rounds, and the median absolute deviation from it. */
  readonly nsPerParameter: number;
  readonly mad: number;
  /** Median. */
  readonly microsecondsPerTensor: number;
  /** Median, over the rounds, of the time per parameter over that of a million in one tensor, and its deviation. */
  readonly ratio: number;
  readonly ratioMad: number;
  readonly rounds: number;
}

type Checkpoint = (measured: Case, contestant: Contestant, steps: number) => void;

/** One case in turns with the yardstick, so that what else the machine does meets both alike. */
function measureRow(measured: Case, threads: number, effort: Effort, checkpoint: Checkpoint): ScalingRow {
  const yardstick = oneTensor(YARDSTICK);
  const cases = new Map([measured, yardstick].map((c) => [rawContestant(c, threads), c]));
  try {
    const [own, other] = measure([...cases.keys()], effort, Infinity, (contestant, steps) =>
      checkpoint(cases.get(contestant)!, contestant, steps),
    );
    const times = own.rounds.map((milliseconds) => (milliseconds * 1e6) / measured.parameters);
    const ratios = times.map((time, round) => time / ((other.rounds[round] * 1e6) / YARDSTICK));
    return {
      parameters: measured.parameters,
      tensors: measured.lengths.length,
      threads,
      nsPerParameter: median(times),
      mad: medianAbsoluteDeviation(times),
      microsecondsPerTensor: (median(own.rounds) * 1e3) / measured.lengths.length,
      ratio: median(ratios),
      ratioMad: medianAbsoluteDeviation(ratios),
      rounds: times.length,
    };
  } finally {
    for (const contestant of cases.keys()) contestant.dispose();
  }
}

/** Rows for one tensor of each size, and for 1,000 tensors of 64 parameters. */
export function* measureScaling(
  sizes: readonly number[],
  threads: number,
  effort: Effort,
  checkpoint: Checkpoint,
): Generator<ScalingRow> {
  for (const measured of [...sizes.map(oneTensor), manySmallTensors()]) {
    yield measureRow(measured, threads, effort, checkpoint);
  }
}
