import type { LevelWeights, ParameterCellWeights } from '../../../bindings/types';
import { heldInitialRate } from '../../optimizer/schedule';
import { resolveOptions, type OptimizerOptions } from '../../optimizer/options';
import { levelWeights, parameterCellWeights } from '../../optimizer/weights';
import { PICTURE_LANDSCAPES, type PictureLandscape } from './catalogue';
import { encodeDescent, toBase64 } from './codec';
import { halfDecades } from './descent';
import type { PageLandscape, PageSetting, PagedWeights } from './pageData';
import { gridStarts, learnedDescent, tunedRates } from './trajectories';

/** Initial rates of the page's slider. */
export const SLIDER_RATES = halfDecades(-5, 0);

export interface LandscapesSetting {
  /** Draws the starts. */
  readonly seed: number;
  readonly steps: number;
  /** Landscapes by slug; default: all. */
  readonly slugs?: readonly string[];
  /** Weights of the learned optimizer; default: the default preset. */
  readonly optimizer?: OptimizerOptions;
}

type Numbers = Readonly<Record<string, Float64Array | number>>;

/** Arrays as base64 of floats in single precision, which is what files of weights hold; numbers as they are. */
function paged(weights: Numbers): Record<string, string | number> {
  const entries = Object.entries(weights).map(([name, value]) => {
    if (typeof value === 'number') return [name, value] as const;
    return [name, toBase64(new Uint8Array(Float32Array.from(value).buffer))] as const;
  });
  return Object.fromEntries(entries);
}

/** What the page knows besides the trajectories: with it the learned optimizer can run in the browser. */
export function pageSetting(setting: LandscapesSetting, version: string): PageSetting {
  const { weights, warmup, annealing, initialLearningRate } = resolveOptions(setting.optimizer);
  const cell: ParameterCellWeights = parameterCellWeights(weights);
  const levels: LevelWeights = levelWeights(weights);
  return {
    version,
    seed: setting.seed,
    steps: setting.steps,
    rates: SLIDER_RATES,
    firstRate: nearestIndex(SLIDER_RATES, initialLearningRate),
    learned: {
      name: weights.metadata.name,
      architecture: weights.architecture,
      cell: paged(cell as unknown as Numbers) as PagedWeights,
      levels: paged(levels as unknown as Numbers) as PagedWeights,
      warmup,
      // JSON has no Infinity, which means never.
      annealing: Number.isFinite(annealing.after) ? annealing : null,
      initialLearningRateRange: weights.metadata.initialLearningRateRange ?? null,
    },
  };
}

function nearestIndex(values: readonly number[], wanted: number): number {
  const distances = values.map((value) => Math.abs(Math.log(value / wanted)));
  return distances.indexOf(Math.min(...distances));
}

/**
 * The landscapes of a setting, in the order of the catalogue.
 * @throws {RangeError} for a slug that none has
 */
export function chosenLandscapes({ slugs }: LandscapesSetting): PictureLandscape[] {
  const known = PICTURE_LANDSCAPES.map(({ slug }) => slug);
  const unknown = slugs?.find((slug) => !known.includes(slug));
  if (unknown !== undefined) throw new RangeError(`slugs: expected some of ${known.join(', ')}, got ${unknown}`);
  return PICTURE_LANDSCAPES.filter(({ slug }) => slugs === undefined || slugs.includes(slug));
}

/**
 * One landscape: starts, tuned rates of the baselines, and the learned optimizer's trajectories over starts and rates.
 * Yields after every trajectory, so that the caller can show progress and stop.
 */
export async function pageLandscape(
  landscape: PictureLandscape,
  setting: LandscapesSetting,
  afterEach: () => Promise<void>,
): Promise<PageLandscape> {
  const { steps, seed } = setting;
  const { weights } = resolveOptions(setting.optimizer);
  const starts = gridStarts(landscape, seed, PICTURE_LANDSCAPES.indexOf(landscape));
  const tuned = tunedRates(landscape, starts, steps);
  // Rates outside the weights' range are held at its ends: one trajectory serves them all.
  const held = SLIDER_RATES.map((rate) => heldInitialRate(weights.metadata, rate));
  const distinct = [...new Set(held)];
  const learned: PageLandscape['learned'][number][] = [];
  for (const start of starts) {
    const runs = [];
    for (const initialLearningRate of distinct) {
      runs.push(encodeDescent(learnedDescent(landscape, start, steps, { ...setting.optimizer, initialLearningRate })));
      await afterEach();
    }
    learned.push(runs);
  }
  return { slug: landscape.slug, starts, tuned, rateOf: held.map((rate) => distinct.indexOf(rate)), learned };
}
