// Float kernels for AVX2 and FMA.
#include "kernels.h"

#if defined(__AVX2__) && defined(__FMA__)
#define LO_ISA_NAMESPACE isa_avx2
#include "kernels_float.inl"

namespace lo {
const Kernels<float>* avx2Kernels() {
  static constexpr Kernels<float> kernels = {"avx2",
                                              &isa_avx2::advanceAny,
                                              &isa_avx2::applyChunk,
                                              isa_avx2::kPackWidth,
                                              &isa_avx2::laneStepAny,
                                              &isa_avx2::laneBackwardAny,
                                              &isa_avx2::laneResiduals,
                                              &isa_avx2::laneRegression,
                                              &isa_avx2::levelBiases,
                                              &isa_avx2::levelStep};
  return &kernels;
}
}  // namespace lo
#else
namespace lo {
const Kernels<float>* avx2Kernels() { return nullptr; }
}  // namespace lo
#endif
