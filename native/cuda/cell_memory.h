// The parameter cell's weights as an argument of the kernel. Arguments lie in constant memory, from where a multiply-add takes an
// operand without a load, and every launch has its own, so that optimizers with other weights may run beside it.
#pragma once

#include "../config.h"

namespace lo::cuda {

// Architectures known to the compiler: 3 KB.
template <class Shape>
struct CellMemory {
  static constexpr int rows = Shape::maxInputs + Shape::maxHidden;
  float gates[rows * 2 * Shape::maxHidden];
  float candidate[rows * Shape::maxHidden];
  float updateReadout[Shape::maxHidden], updateShortcut[Shape::maxTimescales];
  float attentionReadout[Shape::maxHidden], attentionShortcut[Shape::maxTimescales];
  float scaleDecayReadout[Shape::maxHidden], inputDecayReadout[Shape::maxHidden], rateReadout[Shape::maxHidden];
  float scaleDecayBias, inputDecayBias, rateBias, rateMomentum, stepOffset, maxLogRate;

  LO_HD LO_INLINE Cell<float> cell() const {
    return {gates,          candidate,         updateReadout,     updateShortcut, attentionReadout,
            attentionShortcut, scaleDecayReadout, inputDecayReadout, rateReadout,    scaleDecayBias,
            inputDecayBias, rateBias,          rateMomentum,      stepOffset,     maxLogRate};
  }
};

// All others: in global memory.
template <>
struct CellMemory<DynamicShape> {
  Cell<float> pointers;
  LO_HD LO_INLINE Cell<float> cell() const { return pointers; }
};

// `c` is on the host.
template <class Shape>
void fillCell(const Cell<float>& c, CellMemory<Shape>& m) {
  const auto copy = [](const float* from, float* to, int n) {
    for (int i = 0; i < n; ++i) to[i] = from[i];
  };
  constexpr int H = Shape::maxHidden, S = Shape::maxTimescales, rows = CellMemory<Shape>::rows;
  copy(c.gates, m.gates, rows * 2 * H);
  copy(c.candidate, m.candidate, rows * H);
  copy(c.updateReadout, m.updateReadout, H);
  copy(c.updateShortcut, m.updateShortcut, S);
  copy(c.attentionReadout, m.attentionReadout, H);
  copy(c.attentionShortcut, m.attentionShortcut, S);
  copy(c.scaleDecayReadout, m.scaleDecayReadout, H);
  copy(c.inputDecayReadout, m.inputDecayReadout, H);
  copy(c.rateReadout, m.rateReadout, H);
  m.scaleDecayBias = c.scaleDecayBias;
  m.inputDecayBias = c.inputDecayBias;
  m.rateBias = c.rateBias;
  m.rateMomentum = c.rateMomentum;
  m.stepOffset = c.stepOffset;
  m.maxLogRate = c.maxLogRate;
}

}  // namespace lo::cuda
