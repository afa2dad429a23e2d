// The functions of math.h on packs: AVX-512.
#include "vector_math.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define LO_ISA_NAMESPACE test_avx512
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
const VectorMath* avx512Math() {
  static constexpr VectorMath math = {"avx512", &test_avx512::applyFunction, &test_avx512::applyDoubleFunction,
                                      &test_avx512::roundHalves};
  return &math;
}
}  // namespace lo::test
#else
namespace lo::test {
const VectorMath* avx512Math() { return nullptr; }
}  // namespace lo::test
#endif
