import { formatRate } from '../../format';
import type { PictureLandscape } from '../catalogue';
import { decodeDescent } from '../codec';
import { BASELINES, descend } from '../descent';
import type { PageLandscape, PageSetting } from '../pageData';
import type { LearnedDescent } from '../trajectories';
import { heldRate, liveDescent } from './liveRun';
import type { Run } from './paths';

/** What is to be run. */
export interface RunSetting {
  /** Index in the grid of starts, or a point of the user's own. */
  readonly start: number | readonly [number, number];
  /** Index in the slider's rates. */
  readonly rate: number;
  /** Whether the baselines run at their tuned rates. */
  readonly tuned: boolean;
}

export interface Race {
  readonly start: readonly [number, number];
  readonly learned: LearnedDescent;
  /** The learned optimizer's, then the baselines'. */
  readonly runs: readonly Run[];
  /** Whether the learned optimizer's was recorded by the package; otherwise it was computed in this page. */
  readonly recorded: boolean;
}

export const LEARNED = 'learned';

/** All runs of a setting: the learned optimizer's recorded where there is a record, everything else computed here. */
export function raceOf(
  landscape: PictureLandscape,
  data: PageLandscape,
  setting: PageSetting,
  { start: chosen, rate: index, tuned }: RunSetting,
): Race {
  const { steps, rates } = setting;
  const recorded = typeof chosen === 'number';
  const start = recorded ? data.starts[chosen] : chosen;
  const learned = recorded
    ? decodeDescent(data.learned[chosen][data.rateOf[index]])
    : liveDescent(landscape, start, steps, setting.learned, rates[index]);
  const runs: Run[] = [
    {
      id: LEARNED,
      name: 'learned optimizer',
      style: 0,
      descent: learned,
      rate: `from ${formatRate(heldRate(setting.learned, rates[index]))}`,
    },
    ...BASELINES.map(({ id, name, make }, i) => {
      const rate = tuned ? data.tuned[id] : rates[index];
      return {
        id,
        name,
        style: i + 1,
        descent: descend(landscape, start, steps, make(rate)),
        rate: formatRate(rate),
      };
    }),
  ];
  return { start, learned, runs, recorded };
}
