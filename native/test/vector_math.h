// The functions of math.h and math_double.h on packs of one instruction set, behind plain pointers.
#pragma once

#include <cstddef>

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

struct VectorMath {
  const char* isa;
  // out[i] = f(in[i]); `count` is a multiple of 16.
  void (*apply)(Function f, const float* in, float* out, std::size_t count);
  // The same in double; `count` is a multiple of 8. Null for `scalarMath`.
  void (*applyDouble)(DoubleFunction f, const double* in, double* out, std::size_t count);
};

// Null where the instruction set is not compiled in.
const VectorMath* baselineMath();
const VectorMath* avx2Math();
const VectorMath* avx512Math();
const VectorMath* neonMath();
// One float at a time: what a CUDA thread and the portable kernels compute.
const VectorMath* scalarMath();

}  // namespace lo::test
