import type { Weights } from '../../optimizer/weights';
import { sgd } from '../baselines';
import { BASELINES, learnedContestant, TUNED_RATES, type Contestant } from '../comparison/contestants';
import { TUNING_SEEDS } from '../comparison/tuning';
import type { Effort } from './experiment';

const plainSgd: Contestant = {
  name: 'sgd',
  title: 'SGD',
  customaryRate: 1e-2,
  make: (learningRate) => sgd({ learningRate }),
};

const [adam, momentum, rmsProp] = BASELINES;
/** Without its 0.9: beside it stands the rate. */
const sgdWithMomentum: Contestant = { ...momentum, title: 'SGD with momentum' };

/** The optimizers that experiments tune and compare with. */
export const TUNED: readonly Contestant[] = [adam, rmsProp, sgdWithMomentum, plainSgd];

/** Those of the paper's figure of initial rates. */
export const ADAPTIVE: readonly Contestant[] = [adam, rmsProp];

/** The learned optimizer as it comes. */
export function learned(weights: Weights): Contestant {
  return { ...learnedContestant(weights), title: 'learned' };
}

/** The same without the bounds that its weights set on the initial rate: the recurrent network alone has to correct it. */
export function learnedFromAnyRate(weights: Weights): Contestant {
  const metadata = { ...weights.metadata, initialLearningRateRange: undefined };
  return { ...learnedContestant({ ...weights, metadata }), title: 'learned (rate not held)' };
}

/** The same without annealing, as with the option `annealAfter: Infinity`. */
export function learnedWithoutAnnealing(weights: Weights): Contestant {
  const metadata = { ...weights.metadata, annealing: undefined };
  return { ...learnedContestant({ ...weights, metadata }), title: 'learned (not annealed)' };
}

/** The same without its warm-up, as with the option `warmupSteps: 0`. */
export function learnedWithoutWarmup(weights: Weights): Contestant {
  const metadata = { ...weights.metadata, warmup: undefined };
  return { ...learnedContestant({ ...weights, metadata }), title: 'learned (no warm-up)' };
}

/** Seeds and rates of an effort. */
export interface Plan {
  /** Reported. */
  readonly seeds: readonly number[];
  /** Rates of baselines are chosen with these, which are not reported. */
  readonly tuningSeeds: readonly number[];
  readonly rates: readonly number[];
}

const decades = (rates: readonly number[]): number[] => rates.filter((_, i) => i % 2 === 0);

/** Full: five seeds, half-decades 1e-4…1, three seeds to choose. Quick: three seeds, decades, one seed to choose. */
export function planOf({ quick, seeds = quick ? 3 : 5 }: Effort): Plan {
  return {
    seeds: Array.from({ length: seeds }, (_, i) => i),
    tuningSeeds: quick ? TUNING_SEEDS.slice(0, 1) : TUNING_SEEDS,
    rates: quick ? decades(TUNED_RATES) : TUNED_RATES,
  };
}
