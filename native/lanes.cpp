#include "lanes.h"

namespace lo {

LaneModel makeLaneModel(const Config& config, int levels, int tensorHidden, int globalHidden, bool gradientShortcut) {
  LaneModel m;
  m.config = config;
  m.levels = levels;
  m.tensorHidden = levels > 1 ? tensorHidden : 0;
  m.globalHidden = levels > 2 ? globalHidden : 0;
  const int H = config.hidden, S = config.timescales, Ht = m.tensorHidden, Hg = m.globalHidden;
  const int rows = config.inputs() + H, tensorRows = levels > 1 ? m.tensorInputs() + Ht : 0, globalRows = Ht + Hg;
  const bool tensor = levels > 1, global = levels > 2, attention = config.attention();
  const struct {
    MetaParameter parameter;
    bool present;
    int size;
  } all[] = {
      {kParameterInitialHidden, true, H},
      {kTensorInitialHidden, tensor, Ht},
      {kGlobalInitialHidden, global, Hg},
      {kUpdateReadout, true, H},
      {kAttentionReadout, attention, H},
      {kScaleDecayReadout, true, H},
      {kScaleDecayBias, true, 1},
      {kInputDecayReadout, S > 1, H},
      {kInputDecayBias, S > 1, 1},
      {kLearningRateReadout, true, H},
      {kLearningRateBias, true, 1},
      {kTensorToParameterMatrix, tensor, Ht * 3 * H},
      {kTensorToParameterBias, tensor, 3 * H},
      {kGlobalToParameterMatrix, global, Hg * 3 * H},
      {kGlobalToParameterBias, global, 3 * H},
      {kParameterGatesMatrix, true, rows * 2 * H},
      {kParameterGatesBias, true, 2 * H},
      {kParameterCandidateMatrix, true, rows * H},
      {kParameterCandidateBias, true, H},
      {kGlobalToTensorMatrix, global, Hg * 3 * Ht},
      {kGlobalToTensorBias, global, 3 * Ht},
      {kTensorGatesMatrix, tensor, tensorRows * 2 * Ht},
      {kTensorGatesBias, tensor, 2 * Ht},
      {kTensorCandidateMatrix, tensor, tensorRows * Ht},
      {kTensorCandidateBias, tensor, Ht},
      {kUpdateShortcut, gradientShortcut, S},
      {kAttentionShortcut, gradientShortcut && attention, S},
      {kMomentumLogit, true, 1},
      {kStepSizeOffset, true, 1},
      {kGlobalGatesMatrix, global, globalRows * 2 * Hg},
      {kGlobalGatesBias, global, 2 * Hg},
      {kGlobalCandidateMatrix, global, globalRows * Hg},
      {kGlobalCandidateBias, global, Hg},
  };
  for (const auto& entry : all) {
    m.offset[entry.parameter] = entry.present ? m.metaParameters : -1;
    if (entry.present) m.metaParameters += entry.size;
  }
  return m;
}

}  // namespace lo
