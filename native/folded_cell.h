// Inputs of the parameter level that depend linearly on others need no row of their own in its matrix products: the relative
// logarithms of a coordinate sum to 0, and the absolute rate is the relative one plus a number that all coordinates share.
// Their rows are folded into those of the others, once, and what they share into the bias.
#pragma once

#include "config.h"
#include "math.h"

namespace lo {

template <class Shape>
LO_INLINE constexpr bool dropsLogMagnitude(const Shape& shape) {
  return shape.has(kRelativeLogMagnitude);
}
template <class Shape>
LO_INLINE constexpr bool dropsAbsoluteRate(const Shape& shape) {
  return shape.has(kRelativeLearningRate) && shape.has(kAbsoluteLearningRate);
}
template <class Shape>
LO_INLINE constexpr int keptInputs(const Shape& shape) {
  return shape.inputs() - (dropsLogMagnitude(shape) ? 1 : 0) - (dropsAbsoluteRate(shape) ? 1 : 0);
}
// Positions among x (completeInputs in param_step.h).
template <class Shape>
LO_INLINE constexpr int lastLogMagnitude(const Shape& shape) {
  return (shape.has(kGradientProducts) ? 3 : 2) * shape.timescales() - (shape.has(kGradientProducts) ? 2 : 1);
}
template <class Shape>
LO_INLINE constexpr int relativeRate(const Shape& shape) {
  return lastLogMagnitude(shape) + (shape.has(kRelativeLogMagnitude) ? 1 : 1 - shape.timescales());
}
// The absolute rate is the last of x.
template <class Shape>
LO_INLINE constexpr bool isDropped(const Shape& shape, int i) {
  return (dropsLogMagnitude(shape) && i == lastLogMagnitude(shape)) ||
         (dropsAbsoluteRate(shape) && i + 1 == shape.inputs());
}

// `w` is [inputs + hidden][columns], `out` [keptInputs + hidden][columns].
template <class T, class Shape>
void foldMatrix(const Shape& shape, const T* w, int columns, T* out) {
  const int S = shape.timescales(), I = shape.inputs(), lastLog = lastLogMagnitude(shape);
  const T* const logRow = w + lastLog * columns;
  const T* const absoluteRow = w + (I - 1) * columns;
  for (int i = 0; i < I + shape.hidden(); ++i, w += columns) {
    if (isDropped(shape, i)) continue;
    const bool isLog = dropsLogMagnitude(shape) && i > lastLog - S && i < lastLog;
    const bool isRate = dropsAbsoluteRate(shape) && i == relativeRate(shape);
    for (int o = 0; o < columns; ++o) *out++ = isLog ? w[o] - logRow[o] : isRate ? w[o] + absoluteRow[o] : w[o];
  }
}

// The bias [3·hidden] that goes with the folded matrices.
template <class T, class Shape>
LO_INLINE void foldBias(const Shape& shape, const Cell<T>& cell, const T* bias, T meanLogRate, T* out) {
  const int H = shape.hidden(), last = shape.inputs() - 1;
  for (int j = 0; j < 3 * H; ++j) out[j] = bias[j];
  if (!dropsAbsoluteRate(shape)) return;
  const T shared = meanLogRate + T(kMinusLogBaseRate);
  for (int j = 0; j < 2 * H; ++j) out[j] = fma_(shared, cell.gates[last * 2 * H + j], out[j]);
  for (int j = 0; j < H; ++j) out[2 * H + j] = fma_(shared, cell.candidate[last * H + j], out[2 * H + j]);
}

}  // namespace lo
