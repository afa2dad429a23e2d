// The functions of math.h on packs: the instructions that every CPU of the target has.
#include "vector_math.h"

#if !(defined(__aarch64__) && defined(__ARM_NEON))
#define LO_ISA_NAMESPACE test_baseline
#include "../math_double.h"
#include "../vec.h"
#include "../vec_words.h"
#define LO_MATH_PACK Pack
#define LO_MATH_WIDTH kPackWidth
#define LO_MATH_LOAD(p) Pack::load(p)
#define LO_MATH_STORE(p, v) (v).store(p)
#include "vector_math.inl"
#include "vector_math_double.inl"
#include "vector_words.inl"

namespace lo::test {
const VectorMath* baselineMath() {
  static constexpr VectorMath math = {"baseline", &test_baseline::applyFunction, &test_baseline::applyDoubleFunction,
                                      &test_baseline::roundHalves};
  return &math;
}
}  // namespace lo::test
#else
namespace lo::test {
const VectorMath* baselineMath() { return nullptr; }
}  // namespace lo::test
#endif
