// Float kernels for AVX-512 (F, DQ, BW, VL).
#include "kernels.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define LO_ISA_NAMESPACE isa_avx512
#include "kernels_float.inl"

namespace lo {
const Kernels<float>* avx512Kernels() {
  static constexpr Kernels<float> kernels = {"avx512",
                                              &isa_avx512::advanceAny,
                                              &isa_avx512::applyChunk,
                                              isa_avx512::kPackWidth,
                                              &isa_avx512::laneStepAny,
                                              &isa_avx512::laneBackwardAny,
                                              &isa_avx512::laneResiduals,
                                              &isa_avx512::laneRegression,
                                              &isa_avx512::levelBiases,
                                              &isa_avx512::levelStep};
  return &kernels;
}
}  // namespace lo
#else
namespace lo {
const Kernels<float>* avx512Kernels() { return nullptr; }
}  // namespace lo
#endif
