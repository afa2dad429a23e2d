import { DEFAULT_META_TRAINING } from '../../meta/config';
import type { EstimatorConfig, MetaTrainingConfig, PhaseConfig } from '../../meta/config';
import { scaleIterations } from '../../meta/presets';
import type { Architecture } from '../../optimizer/architecture';

/** What a variant changes: what the network sees, how it is built, or how it is meta-trained. */
export type VariantGroup = 'inputs' | 'structure' | 'training';

/** The optimizer with one thing changed. */
export interface Variant {
  /** On disk and in tables: lower case and hyphens. */
  readonly name: string;
  readonly title: string;
  readonly group: VariantGroup;
  /** Whether the paper says that the change makes it worse; it says that attention makes it better. */
  readonly expected: 'worse' | 'better';
  /** What is different, in a sentence. */
  readonly change: string;
  apply(config: MetaTrainingConfig): MetaTrainingConfig;
}

/** Name of the optimizer that variants are compared with. */
const FULL = 'full';

const architecture =
  (change: Partial<Architecture>) =>
  (config: MetaTrainingConfig): MetaTrainingConfig => ({
    ...config,
    architecture: { ...config.architecture, ...change },
  });

const phases =
  (change: (phase: PhaseConfig) => PhaseConfig) =>
  (config: MetaTrainingConfig): MetaTrainingConfig => ({ ...config, phases: config.phases.map(change) });

const estimator = (change: Partial<Pick<EstimatorConfig, 'objective' | 'horizon'>>) =>
  phases((phase) => ({ ...phase, estimator: { ...phase.estimator, ...change } }));

/** About the mean of the horizons that the full recipe draws. */
const FIXED_HORIZON = 500;

/** One change each (Wichrowska et al. 2017, figure 6, and parts of the design that it leaves in place). */
export const VARIANTS: readonly Variant[] = [
  {
    name: 'no-input-scaling',
    title: 'no input scaling',
    group: 'inputs',
    expected: 'worse',
    change: 'The averaged gradients enter as they are, not divided by their running magnitude.',
    apply: architecture({ inputScaling: false }),
  },
  {
    name: 'one-timescale',
    title: 'one timescale',
    group: 'inputs',
    expected: 'worse',
    change: 'The gradient alone in the place of its averages at four timescales.',
    apply: architecture({ timescales: 1 }),
  },
  {
    name: 'no-log-magnitude',
    title: 'no log magnitude',
    group: 'inputs',
    expected: 'worse',
    change: 'The relative log gradient magnitudes are not among the inputs.',
    apply: architecture({ relativeLogMagnitude: false }),
  },
  {
    name: 'no-relative-rate',
    title: 'no relative rate',
    group: 'inputs',
    expected: 'worse',
    change: 'The relative log learning rate is not among the inputs; the absolute one still is.',
    apply: architecture({ relativeLearningRate: false }),
  },
  {
    name: 'no-tensor-level',
    title: 'no tensor level',
    group: 'structure',
    expected: 'worse',
    change: 'The parameter level alone: no tensor level, and without it no global one.',
    apply: architecture({ levels: 1, tensorHidden: 0, globalHidden: 0 }),
  },
  {
    name: 'no-global-level',
    title: 'no global level',
    group: 'structure',
    expected: 'worse',
    change: 'Parameter and tensor level.',
    apply: architecture({ levels: 2, globalHidden: 0 }),
  },
  {
    name: 'no-shortcut',
    title: 'no gradient shortcut',
    group: 'structure',
    expected: 'worse',
    change: 'The direction comes from the hidden state alone.',
    apply: architecture({ gradientShortcut: false }),
  },
  {
    name: 'attention',
    title: 'with attention',
    group: 'structure',
    expected: 'better',
    change: 'Gradients are taken at a point ahead of the parameters, which the network chooses.',
    apply: architecture({ attention: true }),
  },
  {
    name: 'fixed-rate',
    title: 'rate not learned',
    group: 'training',
    expected: 'worse',
    change: 'The learning-rate head stays at zero: every parameter keeps its initial rate.',
    apply: (config) => ({
      ...config,
      frozen: ['parameter.learningRate.readout', 'parameter.learningRate.bias'],
    }),
  },
  {
    name: 'linear-objective',
    title: 'linear objective',
    group: 'training',
    expected: 'worse',
    change: 'The meta-loss is the mean loss relative to the start, not its logarithm.',
    apply: estimator({ objective: 'linear' }),
  },
  {
    name: 'fixed-horizon',
    title: 'fixed horizon',
    group: 'training',
    expected: 'worse',
    change: `All trajectories have ${FIXED_HORIZON} steps, about the mean of the horizons of the full recipe, which are log-uniform up to 3,000 and 1,500.`,
    apply: (config) =>
      phases(({ horizonGrowth: _, ...phase }) => phase)(estimator({ horizon: [FIXED_HORIZON, FIXED_HORIZON] })(config)),
  },
];

/**
 * The recipe of the shipped weights with fewer iterations, and one change.
 * @param share of the iterations of the recipe, above 0
 */
export function ablationConfig(variant: Variant | undefined, seed: number, share: number): MetaTrainingConfig {
  const base: MetaTrainingConfig = {
    ...scaleIterations(DEFAULT_META_TRAINING, share),
    seed,
    name: `ablation-${variant?.name ?? FULL}-${seed}`,
    description: variant ? `Of an ablation. ${variant.change}` : 'Of an ablation: the full optimizer.',
  };
  return variant ? variant.apply(base) : base;
}
