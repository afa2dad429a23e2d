// The functions of math.h on single floats.
#include "../compact_state.h"
#include "../math.h"
#include "vector_math.h"

#define LO_ISA_NAMESPACE test_scalar
#define LO_MATH_PACK float
#define LO_MATH_WIDTH 1
#define LO_MATH_LOAD(p) *(p)
#define LO_MATH_STORE(p, v) *(p) = (v)
#include "vector_math.inl"

namespace lo::test {

static void roundHalves(Half format, const float* in, float* out, std::size_t count, const HalfRounding& by) {
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t draws = firstDraws(by.index + static_cast<std::uint32_t>(i), by.seed);
    for (int k = 1; k < by.draw; k += 2) draws = nextDraws(draws);
    const std::uint32_t draw = by.draw % 2 == 1 ? draws >> 16 : draws & 0xffffu;
    out[i] = format == Half::kFixed ? fromFixed(roundedBy(fixedWord(in[i], by.range), draw), by.range)
                                    : fromBfloat16(roundedBy(floatToBits(in[i]), draw));
  }
}

const VectorMath* scalarMath() {
  static constexpr VectorMath math = {"scalar", &test_scalar::applyFunction, nullptr, &roundHalves};
  return &math;
}
}  // namespace lo::test
