// Float kernels for NEON on 64-bit Arm.
#include "kernels.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#define LO_ISA_NAMESPACE isa_neon
#include "kernels_float.inl"

namespace lo {
const Kernels<float>* neonKernels() {
  static constexpr Kernels<float> kernels = {"neon",
                                              &isa_neon::advanceAny,
                                              &isa_neon::applyChunk,
                                              isa_neon::kPackWidth,
                                              &isa_neon::laneStepAny,
                                              &isa_neon::laneBackwardAny,
                                              &isa_neon::laneResiduals,
                                              &isa_neon::laneRegression,
                                              &isa_neon::levelBiases,
                                              &isa_neon::levelStep};
  return &kernels;
}
}  // namespace lo
#else
namespace lo {
const Kernels<float>* neonKernels() { return nullptr; }
}  // namespace lo
#endif
