// The functions of math.h, math_double.h and the rounding of vec_words.h on packs of one instruction set, behind plain
// pointers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lo::test {

enum class Function {
  kLog,
  kExp,
  kTanh,
  kSigmoid,
  kDecay,
  kDecayComplement,
  kAsinh,
  kSqrt,
  kPiecewiseLog,
  kPiecewiseExp,
  kSoftsign,
  kSoftSigmoid,
  kPiecewiseDecay,
  kPiecewiseDecayComplement,
  kPowerOfTwoBelow,
};

enum class DoubleFunction { kSigmoid, kTanh };

enum class Half { kBfloat16, kFixed };

// How values are rounded: by which of the draws of the coordinates from `index` on.
struct HalfRounding {
  float range;
  std::uint32_t index, seed;
  int draw;
};

struct VectorMath {
  const char* isa;
  // out[i] = f(in[i]); `count` is a multiple of 16.
  void (*apply)(Function f, const float* in, float* out, std::size_t count);
  // The same in double; `count` is a multiple of 8. Null for `scalarMath`.
  void (*applyDouble)(DoubleFunction f, const double* in, double* out, std::size_t count);
  // in[i] to 16 bits and back, likewise.
  void (*roundHalves)(Half format, const float* in, float* out, std::size_t count, const HalfRounding& by);
};

// Null where the instruction set is not compiled in.
const VectorMath* baselineMath();
const VectorMath* avx2Math();
const VectorMath* avx512Math();
const VectorMath* neonMath();
// One float at a time: what a CUDA thread and the portable kernels compute.
const VectorMath* scalarMath();

}  // namespace lo::test
