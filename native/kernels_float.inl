// Float kernels for the instruction set that the including file is compiled for. The including file defines
// LO_ISA_NAMESPACE.
#include <cfloat>
#include <limits>

#include "kernels.h"
#include "vec.h"
#include "param_step.h"

namespace lo {

// Register blocking: as many outputs as leave room for two operands in the register file.
template <>
struct TileOf<LO_ISA_NAMESPACE::Pack> {
#if defined(__AVX512F__)
  static constexpr int value = 10;
#elif defined(__ARM_NEON)
  static constexpr int value = 5;
#elif defined(__AVX2__)
  static constexpr int value = 5;
#else
  static constexpr int value = 2;
#endif
};

namespace LO_ISA_NAMESPACE {
namespace {

using T = float;
using P = Pack;

struct Lanes {
  using Mask = LO_ISA_NAMESPACE::Mask;
  static constexpr std::size_t width = kPackWidth;
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

// The architectures with a compiled-in shape; every other one takes the generic path.
constexpr unsigned kPaper = kGradientProducts | kRelativeLogMagnitude | kRelativeLearningRate;

void advanceAny(const AdvanceTask<T>& task) {
  const Config& c = *task.config;
  // Which mean is subtracted is decided by the caller.
  const unsigned flags = c.flags & ~static_cast<unsigned>(kTensorLearningRateMean);
  if (c.hidden == 10 && c.timescales == 4) {
    switch (flags) {
      case kPaper:
        return advanceChunk(task, StaticShape<10, 4, kPaper>{});
      case kPaper | kAttention:
        return advanceChunk(task, StaticShape<10, 4, kPaper | kAttention>{});
      case kPaper | kAbsoluteLearningRate:
        return advanceChunk(task, StaticShape<10, 4, kPaper | kAbsoluteLearningRate>{});
      case kPaper | kAbsoluteLearningRate | kAttention:
        return advanceChunk(task, StaticShape<10, 4, kPaper | kAbsoluteLearningRate | kAttention>{});
      default:
        break;
    }
  }
  advanceChunk(task, dynamicShape(c));
}

}  // namespace
}  // namespace LO_ISA_NAMESPACE
}  // namespace lo
