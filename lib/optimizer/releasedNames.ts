import { createWeights } from './weights';
import type { Weights, WeightsMetadata } from './weights';
import type { Architecture } from './architecture';

/** Names of the meta-parameters in the paper's released code, by the names used here. */
export const RELEASED_NAMES: Readonly<Record<string, string>> = {
  'parameter.initialHidden': 'Level0_RNN/init_vector',
  'tensor.initialHidden': 'Level1_RNN/init_vector',
  'global.initialHidden': 'Level2_RNN/init_vector',
  'parameter.update.readout': 'update_weights',
  'parameter.attention.readout': 'attention_weights',
  'parameter.scaleDecay.readout': 'scl_decay_weights',
  'parameter.scaleDecay.bias': 'scl_decay_bias',
  'parameter.inputDecay.readout': 'inp_decay_weights',
  'parameter.inputDecay.bias': 'inp_decay_bias',
  'parameter.learningRate.readout': 'learning_rate_weights',
  'parameter.learningRate.bias': 'learning_rate_bias',
  'tensorToParameter.matrix': 'PerTensor/Layer0_RNN/Param/Affine/Matrix',
  'tensorToParameter.bias': 'PerTensor/Layer0_RNN/Param/Affine/Bias',
  'globalToParameter.matrix': 'PerTensor/Layer0_RNN/Global/Affine/Matrix',
  'globalToParameter.bias': 'PerTensor/Layer0_RNN/Global/Affine/Bias',
  'parameter.cell.gates.matrix': 'PerTensor/Layer0_RNN/BiasGRUCell/gates/Affine/Matrix',
  'parameter.cell.gates.bias': 'PerTensor/Layer0_RNN/BiasGRUCell/gates/Affine/Bias',
  'parameter.cell.candidate.matrix': 'PerTensor/Layer0_RNN/BiasGRUCell/candidate/Affine/Matrix',
  'parameter.cell.candidate.bias': 'PerTensor/Layer0_RNN/BiasGRUCell/candidate/Affine/Bias',
  'globalToTensor.matrix': 'PerTensor/Layer1_RNN/Affine/Matrix',
  'globalToTensor.bias': 'PerTensor/Layer1_RNN/Affine/Bias',
  'tensor.cell.gates.matrix': 'PerTensor/Layer1_RNN/BiasGRUCell/gates/Affine/Matrix',
  'tensor.cell.gates.bias': 'PerTensor/Layer1_RNN/BiasGRUCell/gates/Affine/Bias',
  'tensor.cell.candidate.matrix': 'PerTensor/Layer1_RNN/BiasGRUCell/candidate/Affine/Matrix',
  'tensor.cell.candidate.bias': 'PerTensor/Layer1_RNN/BiasGRUCell/candidate/Affine/Bias',
  'parameter.update.shortcut': 'PerTensor/GradsToDelta/Matrix',
  'parameter.attention.shortcut': 'PerTensor/GradsToAttnDelta/Matrix',
  'parameter.learningRate.momentumLogit': 'PerTensor/learning_rate_momentum_logit',
  'parameter.stepSizeOffset': 'PerTensor/param_stepsize_offset',
  'global.cell.gates.matrix': 'Layer2_RNN/BiasGRUCell/gates/Affine/Matrix',
  'global.cell.gates.bias': 'Layer2_RNN/BiasGRUCell/gates/Affine/Bias',
  'global.cell.candidate.matrix': 'Layer2_RNN/BiasGRUCell/candidate/Affine/Matrix',
  'global.cell.candidate.bias': 'Layer2_RNN/BiasGRUCell/candidate/Affine/Bias',
};

/** The decays that the released code uses where it does not learn them: bias of a constant decay. */
const CONSTANT_DECAY_BIAS: Readonly<Record<string, number>> = {
  'parameter.inputDecay.bias': Math.log(0.89 / (1 - 0.89)),
  'parameter.scaleDecay.bias': Math.log(0.93 / (1 - 0.93)),
};

export interface ReleasedVariable {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** The configuration of the released code's HierarchicalRNN, as far as it decides the architecture. */
export interface ReleasedConfig {
  readonly levelSizes: readonly number[];
  readonly use_attention: boolean;
  readonly num_gradient_scales: number;
  readonly use_log_means_squared: boolean;
  readonly use_relative_lr: boolean;
  readonly use_extreme_indicator: boolean;
  readonly max_log_lr: number;
  readonly use_problem_lr_mean: boolean;
  readonly use_gradient_shortcut: boolean;
  readonly use_lr_shortcut: boolean;
  readonly use_grad_products: boolean;
  readonly use_multiple_scale_decays: boolean;
}

/** Architecture of a configuration of the released code. */
export function architectureOfReleased(config: ReleasedConfig): Architecture {
  const [parameterHidden, tensorHidden = 0, globalHidden = 0] = config.levelSizes;
  return {
    levels: config.levelSizes.length as 1 | 2 | 3,
    parameterHidden,
    tensorHidden,
    globalHidden,
    timescales: config.num_gradient_scales,
    gradientProducts: config.use_grad_products,
    relativeLogMagnitude: config.use_log_means_squared,
    relativeLearningRate: config.use_relative_lr,
    extremeRateIndicator: config.use_extreme_indicator,
    absoluteLearningRate: config.use_lr_shortcut,
    gradientShortcut: config.use_gradient_shortcut,
    attention: config.use_attention,
    scaleDecayPerTimescale: config.use_multiple_scale_decays,
    inputScaling: true,
    activations: 'transcendental',
    learningRateMean: config.use_problem_lr_mean ? 'problem' : 'tensor',
    maxLogLearningRate: config.max_log_lr,
    gradientScale: 1,
  };
}

/**
 * Weights from variables under the released code's names (`LOL/…:0`). A decay that the variables do not have was a
 * constant in that run.
 */
export function weightsFromReleased(
  architecture: Architecture,
  variables: Readonly<Record<string, ReleasedVariable>>,
  metadata: WeightsMetadata,
): Weights {
  const byName = new Map(
    Object.entries(variables).map(([name, v]) => [name.replace(/^LOL\//, '').replace(/:0$/, ''), v.data]),
  );
  const tensors = new Map<string, Float64Array>();
  for (const [name, released] of Object.entries(RELEASED_NAMES)) {
    const data = byName.get(released);
    if (data !== undefined) tensors.set(name, Float64Array.from(data));
  }
  for (const [name, value] of Object.entries(CONSTANT_DECAY_BIAS)) {
    if (tensors.has(name) || (name === 'parameter.inputDecay.bias' && architecture.timescales === 1)) continue;
    tensors.set(name, Float64Array.of(value));
    tensors.set(name.replace('.bias', '.readout'), new Float64Array(architecture.parameterHidden));
  }
  return createWeights(architecture, tensors, metadata);
}
