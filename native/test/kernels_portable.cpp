// The float kernels as a machine without a known vector unit gets them, so that this path is tested on every machine.
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "../kernels.h"
#include "support.h"

#if defined(__GNUC__) || defined(__clang__)
// vec.h chooses by these macros. The standard headers above are already in.
#undef __AVX512F__
#undef __AVX2__
#undef __SSE2__
#undef __ARM_NEON
#define LO_ISA_NAMESPACE isa_portable
#include "../kernels_float.inl"

namespace lo::test {
const Kernels<float>* portableKernels() {
  static constexpr Kernels<float> kernels = {"portable",
                                              &isa_portable::advanceAny,
                                              &isa_portable::applyChunk,
                                              0,
                                              nullptr,
                                              nullptr,
                                              nullptr,
                                              nullptr,
                                              &isa_portable::levelBiases,
                                              &isa_portable::levelStep};
  return &kernels;
}
}  // namespace lo::test
#else
namespace lo::test {
const Kernels<float>* portableKernels() { return nullptr; }
}  // namespace lo::test
#endif
