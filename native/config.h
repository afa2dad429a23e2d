// Sizes and switches of the hierarchical RNN optimizer, as far as the parameter level needs them.
#pragma once

#include "platform.h"

namespace lo {

constexpr int kMaxHidden = 32;
constexpr int kMaxTimescales = 5;
// m_s, m_s·m_{s+1}, γ_s, relative rate, extreme-rate indicator, absolute rate
constexpr int kMaxInputs = 3 * kMaxTimescales - 1 + 3;

// Finite gradients are clamped to ±kMaxGradient so that their squares stay finite in float32.
constexpr double kMaxGradient = 1e18;
// Lower bound of η_step (released code: "log(min int32) - 1").
constexpr double kMinLogLearningRate = -33.0;
// The absolute learning rate is seen relative to 1e-3: − ln 1e-3.
constexpr double kMinusLogBaseRate = 6.907755278982137;

enum ConfigFlag : unsigned {
  kGradientProducts = 1u << 0,
  kRelativeLogMagnitude = 1u << 1,
  kRelativeLearningRate = 1u << 2,
  kExtremeRateIndicator = 1u << 3,
  kAbsoluteLearningRate = 1u << 4,
  kAttention = 1u << 5,
  kScaleDecayPerTimescale = 1u << 6,
  // mean η over the tensor instead of the whole problem
  kTensorLearningRateMean = 1u << 7,
  // softsign for tanh and σ, and functions as cheap for asinh, ln and the σ of the decays (math.h, param_step.h)
  kAlgebraicActivations = 1u << 8,
  // m is that of ḡ itself, not of ḡ/√λ
  kUnscaledInputs = 1u << 9,
};

LO_HD LO_INLINE constexpr int inputCountOf(int timescales, unsigned flags) {
  return timescales + ((flags & kGradientProducts) ? timescales - 1 : 0) +
         ((flags & kRelativeLogMagnitude) ? timescales : 0) + ((flags & kRelativeLearningRate) ? 1 : 0) +
         ((flags & kExtremeRateIndicator) ? 1 : 0) + ((flags & kAbsoluteLearningRate) ? 1 : 0);
}

struct Config {
  int hidden = 10;
  int timescales = 4;
  unsigned flags = kGradientProducts | kRelativeLogMagnitude | kRelativeLearningRate;
  double maxLogLearningRate = 33.0;
  // Multiplies every gradient, so that the squares of those of interest are far above what the dynamic scaling adds to them.
  double gradientScale = 1.0;

  int inputs() const { return inputCountOf(timescales, flags); }
  // The means that the tensor level sees: of the hidden state and, where there are any besides the scaled gradients, of the
  // inputs.
  bool tensorSeesInputs() const { return inputs() > timescales; }
  int tensorInputs() const { return hidden + (tensorSeesInputs() ? inputs() : 0); }
  bool attention() const { return (flags & kAttention) != 0; }
  // Fields per coordinate in the block layout: hidden, ḡ, λ, η.
  int fields() const { return hidden + 2 * timescales + 1; }
};

// The switches as compile-time constants (the fast path) ...
template <int Hidden, int Timescales, unsigned Flags>
struct StaticShape {
  static constexpr int maxHidden = Hidden;
  static constexpr int fixedHidden = Hidden;
  static constexpr int maxTimescales = Timescales;
  static constexpr int maxInputs = inputCountOf(Timescales, Flags);
  LO_HD LO_INLINE static constexpr int hidden() { return Hidden; }
  LO_HD LO_INLINE static constexpr int timescales() { return Timescales; }
  LO_HD LO_INLINE static constexpr int inputs() { return maxInputs; }
  LO_HD LO_INLINE static constexpr bool has(unsigned flag) { return (Flags & flag) != 0; }
};

// ... and as values (every other architecture).
struct DynamicShape {
  static constexpr int maxHidden = kMaxHidden;
  static constexpr int fixedHidden = 0;  // not known to the compiler
  static constexpr int maxTimescales = kMaxTimescales;
  static constexpr int maxInputs = kMaxInputs;
  int hidden_, timescales_, inputs_;
  unsigned flags_;
  LO_HD LO_INLINE constexpr int hidden() const { return hidden_; }
  LO_HD LO_INLINE constexpr int timescales() const { return timescales_; }
  LO_HD LO_INLINE constexpr int inputs() const { return inputs_; }
  LO_HD LO_INLINE constexpr bool has(unsigned flag) const { return (flags_ & flag) != 0; }
};

LO_INLINE DynamicShape dynamicShape(const Config& c) {
  return DynamicShape{c.hidden, c.timescales, c.inputs(), c.flags};
}

// Meta-parameters of the parameter level in the number type of the computation. Matrices are row-major. V is the type of
// the scalars.
template <class T, class V = T>
struct Cell {
  const T* gates;              // [inputs + hidden][2·hidden], columns [reset | update]
  const T* candidate;          // [inputs + hidden][hidden]
  const T* updateReadout;      // [hidden]
  const T* updateShortcut;     // [timescales]
  const T* attentionReadout;   // [hidden]
  const T* attentionShortcut;  // [timescales]
  const T* scaleDecayReadout;  // [hidden]
  const T* inputDecayReadout;  // [hidden]
  const T* rateReadout;        // [hidden]
  V scaleDecayBias;
  V inputDecayBias;
  V rateBias;
  V rateMomentum;  // γ_η
  V stepOffset;    // o
  V maxLogRate;
  const T* foldedGates = nullptr;      // the first two with rows folded into others (folded_cell.h); null in lanes
  const T* foldedCandidate = nullptr;
};

}  // namespace lo
