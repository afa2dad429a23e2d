// Float kernels for the instruction set that the including file is compiled for. The including file defines
// LO_ISA_NAMESPACE.
#include <cfloat>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels.h"
#include "vec.h"
#include "math_double.h"
#include "vec_words.h"
#include "folded_cell.h"
#include "gru.h"
#include "pack_group.h"

namespace lo {

template <>
struct ScalarOf<LO_ISA_NAMESPACE::Pack> {
  using type = float;
};

// Register blocking: as many outputs as leave room for two operands in the register file.
template <>
struct TileOf<LO_ISA_NAMESPACE::Pack> {
#if defined(__AVX512F__)
  static constexpr int value = 20;
#elif defined(__ARM_NEON)
  static constexpr int value = 5;
#elif defined(__AVX2__)
  static constexpr int value = 6;
#else
  static constexpr int value = 2;
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
  static constexpr bool apart = true;
#else
  static constexpr bool apart = false;
#endif
};

// The same for a group; a weight then needs registers of its own.
template <int N>
struct TileOf<Group<LO_ISA_NAMESPACE::Pack, N>> {
#if defined(__AVX512F__)
  static constexpr int value = 20 / N;
#else
  static constexpr int value = 6 / N;
#endif
  static constexpr bool apart = false;
};

namespace LO_ISA_NAMESPACE {
namespace {

using T = float;
using P = Pack;
using Memory = PackMemory;

struct Lanes {
  using Mask = LO_ISA_NAMESPACE::Mask;
  static constexpr std::size_t width = kPackWidth;
  // Coordinates that share the load of a weight (lanes.inl). Elsewhere the sums of a second one have no room in the
  // registers, or the first-level cache holds all weights.
#if defined(__AVX512F__)
  static constexpr int group = 4;
#elif defined(__AVX2__)
  static constexpr int group = 2;
#else
  static constexpr int group = 1;
#endif
  static constexpr unsigned fullMask = 0xffffu;
  static constexpr float largest = FLT_MAX;
  static constexpr float notANumber = std::numeric_limits<float>::quiet_NaN();
  static LO_INLINE P load(const T* p) { return P::load(p); }
  static LO_INLINE void store(T* p, P v) { v.store(p); }
  static LO_INLINE unsigned bits(Mask m) { return m.bits(); }
  static LO_INLINE Mask mask(unsigned bits) { return Mask::fromBits(bits); }
  static LO_INLINE double sum(P v) { return v.sum(); }
};
static_assert(Lanes::width == kBlock, "one field of a block is one pack");

#include "kernels.inl"
#include "compact_kernels.inl"
#include "advance_stages.inl"
#include "lanes.inl"
#include "lanes_backward.inl"
#include "lane_objectives.inl"

using Wide = wide::DoublePack;
constexpr std::size_t wideWidth = wide::kDoublePackWidth;
LO_INLINE Wide loadWide(const double* p) { return Wide::load(p); }
LO_INLINE void storeWide(double* p, Wide v) { v.store(p); }

#include "levels.inl"

constexpr unsigned kPaper = kGradientProducts | kRelativeLogMagnitude | kRelativeLearningRate;

// Calls body(shape) with a compiled-in shape for the usual architectures, and with the generic one for all others.
template <class Body>
void withShape(const Config& c, Body&& body) {
  // Which mean of η is subtracted is decided by the caller.
  const unsigned flags = c.flags & ~static_cast<unsigned>(kTensorLearningRateMean);
  // Instrumented builds keep one shape, that of the default preset: each of them is compiled for a long time.
#if !defined(LO_SANITIZED)
  if (c.hidden == 10 && c.timescales == 4) {
    if (flags == kPaper) return body(StaticShape<10, 4, kPaper>{});
  }
#endif
  if (c.hidden == 6 && c.timescales == 4 && flags == (kPaper | kAbsoluteLearningRate)) {
    return body(StaticShape<6, 4, kPaper | kAbsoluteLearningRate>{});
  }
#if !defined(LO_SANITIZED)
  if (c.hidden == 6 && c.timescales == 4 && flags == (kPaper | kAbsoluteLearningRate | kAlgebraicActivations)) {
    return body(StaticShape<6, 4, kPaper | kAbsoluteLearningRate | kAlgebraicActivations>{});
  }
#endif
  body(dynamicShape(c));
}

void advanceAny(const AdvanceTask<T>& task) {
#if !defined(LO_SANITIZED)
  const Config& c = *task.config;
  const unsigned flags = c.flags & ~static_cast<unsigned>(kTensorLearningRateMean);
  if (c.hidden == 10 && c.timescales == 4 && flags == (kPaper | kAttention)) {
    return advanceChunk(task, StaticShape<10, 4, kPaper | kAttention>{});
  }
#endif
  withShape(*task.config, [&](const auto& shape) { advanceChunk(task, shape); });
}

// Meta-training runs on machines with wide registers; elsewhere the compiled-in shapes would only cost compile time.
template <class Body>
void withLaneShape(const Config& c, Body&& body) {
#if defined(__AVX2__) || defined(__ARM_NEON)
  withShape(c, body);
#else
  body(dynamicShape(c));
#endif
}

void laneStepAny(const LaneStepTask<T>& task) {
  withLaneShape(task.model->config, [&](const auto& shape) {
    if (task.weightsPerLane) {
      laneStep<Memory>(task, shape);
    } else {
      laneStep<T>(task, shape);
    }
  });
}

void laneBackwardAny(const LaneBackwardTask<T>& task) {
  withLaneShape(task.model->config, [&](const auto& shape) { laneBackward(task, shape); });
}

}  // namespace
}  // namespace LO_ISA_NAMESPACE
}  // namespace lo
