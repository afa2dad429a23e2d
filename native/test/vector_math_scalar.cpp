// The functions of math.h on single floats.
#include "../math.h"
#include "vector_math.h"

#define LO_ISA_NAMESPACE test_scalar
#define LO_MATH_PACK float
#define LO_MATH_WIDTH 1
#define LO_MATH_LOAD(p) *(p)
#define LO_MATH_STORE(p, v) *(p) = (v)
#include "vector_math.inl"

namespace lo::test {
const VectorMath* scalarMath() {
  static constexpr VectorMath math = {"scalar", &test_scalar::applyFunction, nullptr};
  return &math;
}
}  // namespace lo::test
