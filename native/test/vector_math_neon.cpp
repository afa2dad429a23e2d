// The functions of math.h on packs: NEON.
#include "vector_math.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#define LO_ISA_NAMESPACE test_neon
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
const VectorMath* neonMath() {
  static constexpr VectorMath math = {"neon", &test_neon::applyFunction, &test_neon::applyDoubleFunction,
                                      &test_neon::roundHalves};
  return &math;
}
}  // namespace lo::test
#else
namespace lo::test {
const VectorMath* neonMath() { return nullptr; }
}  // namespace lo::test
#endif
