// The core's weights as the C interface takes them: for callers, not for kernels. Views, valid as long as the weights are.
#pragma once

#include "../levels.h"
#include "../optimizer.h"
#include "lo_cuda.h"

namespace lo {

inline lo_cuda_architecture architectureOf(const CellWeights& cell, const LevelWeights& levels, int stateBits = 32) {
  return {cell.config.hidden, cell.config.timescales, cell.config.flags, cell.config.maxLogLearningRate,
          cell.config.gradientScale, levels.levels, levels.tensor.hidden, levels.global.hidden, stateBits};
}

// Null where there is no such part.
inline lo_cuda_affine viewOf(const AffineWeights& a) {
  return {a.matrix.empty() ? nullptr : a.matrix.data(), a.bias.empty() ? nullptr : a.bias.data()};
}

inline lo_cuda_weights weightsOf(const CellWeights& c, const LevelWeights& l) {
  lo_cuda_weights w = {};
  w.gates = c.gates.data();
  w.candidate = c.candidate.data();
  w.initial_hidden = c.initialHidden.data();
  w.update_readout = c.updateReadout.data();
  w.update_shortcut = c.updateShortcut.data();
  w.attention_readout = c.attentionReadout.data();
  w.attention_shortcut = c.attentionShortcut.data();
  w.scale_decay_readout = c.scaleDecayReadout.data();
  w.input_decay_readout = c.inputDecayReadout.data();
  w.rate_readout = c.rateReadout.data();
  w.scale_decay_bias = c.scaleDecayBias;
  w.input_decay_bias = c.inputDecayBias;
  w.rate_bias = c.rateBias;
  w.rate_momentum = c.rateMomentum;
  w.step_offset = c.stepOffset;
  w.cell_bias = l.cellBias.data();
  w.tensor_gates = viewOf(l.tensor.gates);
  w.tensor_candidate = viewOf(l.tensor.candidate);
  w.global_gates = viewOf(l.global.gates);
  w.global_candidate = viewOf(l.global.candidate);
  w.tensor_initial = l.tensor.initialHidden.data();
  w.global_initial = l.global.initialHidden.data();
  w.tensor_to_parameter = viewOf(l.tensorToParameter);
  w.global_to_parameter = viewOf(l.globalToParameter);
  w.global_to_tensor = viewOf(l.globalToTensor);
  return w;
}

}  // namespace lo
