// Float kernels for the instructions that every CPU of the target has.
#include "kernels.h"

#if !(defined(__aarch64__) && defined(__ARM_NEON))
#define LO_ISA_NAMESPACE isa_baseline
#include "kernels_float.inl"

namespace lo {
const Kernels<float>* baselineKernels() {
  static constexpr Kernels<float> kernels = {"baseline",
                                              &isa_baseline::advanceAny,
                                              &isa_baseline::applyChunk,
                                              isa_baseline::kPackWidth,
                                              &isa_baseline::laneStepAny,
                                              &isa_baseline::laneBackwardAny,
                                              &isa_baseline::laneResiduals,
                                              &isa_baseline::laneRegression,
                                              &isa_baseline::levelBiases,
                                              &isa_baseline::levelStep};
  return &kernels;
}
}  // namespace lo
#else
namespace lo {
const Kernels<float>* baselineKernels() { return nullptr; }
}  // namespace lo
#endif
