import { formatRate } from '../format';
import type { RunMetrics } from '../metrics';
import { mean } from '../statistics';
import type { Comparison, RateRuns, TaskComparison } from './compare';

/** One thing that weights have to show, and what they showed. */
export interface Criterion {
  readonly name: string;
  readonly expected: string;
  readonly measured: string;
  readonly met: boolean;
}

/** Share of the mean log loss that a start from another rate may cost. */
export const RATE_TOLERANCE = 0.1;
/** Rates from which the loss must fall about as fast as from the default; beyond, it only must not fail. */
export const EQUAL_RATES: readonly [number, number] = [1e-6, 1e-2];
/** A rise of the late loss by less than this factor is noise. */
export const RISE_TOLERANCE = 1.05;
/** The spacing of single-precision numbers at 1: a mean cross-entropy below it has nothing left to fall. */
export const LATE_FLOOR = 2 ** -23;
/** Runs at least this long have to show that the loss does not rise in the end. */
export const LONG_RUN = 20_000;

const allRates = (task: TaskComparison): RateRuns[] => [task.learned, ...task.learnedFromOtherRates];

/** Whether the loss has risen in the end. */
function rises({ outcome, finalLoss, lateChange }: RunMetrics): boolean {
  return outcome === 'diverged' || (finalLoss > LATE_FLOOR && lateChange > Math.log(RISE_TOLERANCE));
}

/** Never diverges, never sticks: over all tasks, initial rates and seeds. */
function reliability({ tasks, seeds }: Comparison): Criterion {
  const failures: string[] = [];
  let [runs, stuck, diverged] = [0, 0, 0];
  for (const task of tasks) {
    for (const { rate, runs: ofRate } of allRates(task)) {
      ofRate.forEach(({ outcome }, i) => {
        runs++;
        if (outcome === 'trained') return;
        if (outcome === 'stuck') stuck++;
        else diverged++;
        failures.push(`${task.task} ${outcome} from ${formatRate(rate)}, seed ${seeds[i]}`);
      });
    }
  }
  const shown = failures.slice(0, 3).join('; ') + (failures.length > 3 ? '; …' : '');
  return {
    name: 'reliable',
    expected: 'no run diverges or sticks, from any initial rate',
    measured: `${stuck} stuck, ${diverged} diverged of ${runs}${shown && ` (${shown})`}`,
    met: failures.length === 0,
  };
}

function quality({ tasks, ratioToBest }: Comparison): Criterion[] {
  const count = tasks.length;
  const needed = Math.ceil(0.75 * count);
  const faster = tasks.filter(({ meanLogLoss }) => meanLogLoss.learned < meanLogLoss.tunedAdam).length;
  const beatsCustomary = ({ meanLogLoss, ratioToCustomaryAdam }: TaskComparison): boolean =>
    ratioToCustomaryAdam.mean < 1 && meanLogLoss.learned < meanLogLoss.customaryAdam;
  const worse = tasks.filter((task) => !beatsCustomary(task)).map(({ task }) => task);
  return [
    {
      name: 'final loss',
      expected: 'geometric mean of the ratios to the best tuned baseline at most 1',
      measured: ratioToBest.toPrecision(3),
      met: ratioToBest <= 1,
    },
    {
      name: 'mean log loss',
      expected: `better than tuned Adam on at least ${needed} of ${count}`,
      measured: `${faster} of ${count}`,
      met: faster >= needed,
    },
    {
      name: 'untuned Adam',
      expected: `final and mean log loss better than Adam at 1e-3 on all ${count}`,
      measured: `${count - worse.length} of ${count}${worse.length > 0 ? ` (not ${worse.join(', ')})` : ''}`,
      met: worse.length === 0,
    },
  ];
}

/** How much worse the mean log loss from each initial rate is, as a share of that from the default. */
function insensitivity({ tasks }: Comparison): Criterion {
  const [low, high] = EQUAL_RATES;
  const meanLog = ({ runs }: RateRuns): number => mean(runs.map(({ meanLogLoss }) => meanLogLoss));
  const excesses = tasks.flatMap((task) => {
    const reference = meanLog(task.learned);
    return task.learnedFromOtherRates
      .filter(({ rate }) => rate >= low * 0.999 && rate <= high * 1.001)
      .map((from) => ({ task: task.task, rate: from.rate, excess: (meanLog(from) - reference) / Math.abs(reference) }));
  });
  const outside = excesses.filter(({ excess }) => !(excess <= RATE_TOLERANCE));
  const worst = excesses.reduce<(typeof excesses)[number] | undefined>(
    (a, b) => (a === undefined || b.excess > a.excess ? b : a),
    undefined,
  );
  return {
    name: 'initial rate',
    expected: `mean log loss from ${formatRate(low)} to ${formatRate(high)} within ${100 * RATE_TOLERANCE} % of the default's`,
    measured: worst
      ? `${excesses.length - outside.length} of ${excesses.length}; worst ${(100 * worst.excess).toFixed(0)} % worse (${worst.task} from ${formatRate(worst.rate)})`
      : 'not measured: no other initial rates given',
    met: worst !== undefined && outside.length === 0,
  };
}

function longRuns({ tasks, seeds }: Comparison): Criterion {
  const long = tasks.filter(({ steps }) => steps >= LONG_RUN);
  const rising = long.flatMap((task) =>
    allRates(task).flatMap(({ rate, runs }) =>
      runs.flatMap((run, i) => (rises(run) ? [`${task.task} from ${formatRate(rate)}, seed ${seeds[i]}`] : [])),
    ),
  );
  return {
    name: 'long run',
    expected: `no rise of the loss in the last quarter of ${LONG_RUN.toLocaleString('en')} steps`,
    measured:
      long.length === 0
        ? 'not measured: no task is that long'
        : rising.length === 0
          ? 'falling or at the floor, from all rates and seeds'
          : `rises: ${rising.join('; ')}`,
    met: long.length > 0 && rising.length === 0,
  };
}

/** What the default weights have to show on the suite `networks`. */
export function criteria(comparison: Comparison): Criterion[] {
  return [reliability(comparison), ...quality(comparison), insensitivity(comparison), longRuns(comparison)];
}
