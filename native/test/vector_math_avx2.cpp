// The functions of math.h on packs: AVX2 and FMA.
#include "vector_math.h"

#if defined(__AVX2__) && defined(__FMA__)
#define LO_ISA_NAMESPACE test_avx2
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
const VectorMath* avx2Math() {
  static constexpr VectorMath math = {"avx2", &test_avx2::applyFunction, &test_avx2::applyDoubleFunction,
                                      &test_avx2::roundHalves};
  return &math;
}
}  // namespace lo::test
#else
namespace lo::test {
const VectorMath* avx2Math() { return nullptr; }
}  // namespace lo::test
#endif
