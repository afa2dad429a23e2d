// σ and tanh on packs of doubles (vec_double.h). Largest errors over the whole range are stated here and tested in
// native/test/math_double_test.cpp. Included by files that are compiled for one instruction set, after vec_double.h.
#pragma once

#include "vec_double.h"

namespace lo {
namespace LO_ISA_NAMESPACE {
namespace wide {

// x = n·ln 2 + r with |r| ≤ ½ ln 2: returns e^r − 1 and sets `power` to 2^n. For |x| ≤ 708.
LO_INLINE DoublePack expm1Reduced(DoublePack x, DoublePack& power) {
  // Adding 1.5·2^52 leaves the nearest integer in the low bits of the significand, in any instruction set.
  const DoublePack shift(6755399441055744.0);
  const DoublePack shifted = fma_(x, DoublePack(1.4426950408889634), shift);
  const DoublePack n = shifted - shift;
  power = shiftToExponent(shifted + DoublePack(1023.0));
  // ln 2 in two parts, of which the first times n is exact.
  DoublePack r = fma_(n, DoublePack(-6.93147180369123816490e-01), x);
  r = fma_(n, DoublePack(-1.90821492927058770002e-10), r);
  // Taylor: the first term left out is below 2^-57.
  constexpr double inverseFactorials[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                          1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                          1.0 / 120,        1.0 / 24,        1.0 / 6,        1.0 / 2};
  DoublePack p(inverseFactorials[0]);
  LO_UNROLL for (int i = 1; i < 12; ++i) p = fma_(p, r, DoublePack(inverseFactorials[i]));
  return fma_(r * r, p, r);
}

// σ(x); arguments are clamped to [-708, 708]. Relative error ≤ 4 ulp inside.
LO_INLINE DoublePack sigmoid_(DoublePack x) {
  x = max_(min_(x, DoublePack(708.0)), DoublePack(-708.0));
  const DoublePack one(1.0);
  DoublePack power;
  const DoublePack e = expm1Reduced(DoublePack(0.0) - x, power);
  return one / (one + fma_(power, e, power));
}

// tanh x. Relative error ≤ 4 ulp.
LO_INLINE DoublePack tanh_(DoublePack x) {
  // Beyond 20 the result rounds to 1.
  const DoublePack t = min_(abs_(x), DoublePack(20.0));
  DoublePack power;
  const DoublePack e = expm1Reduced(DoublePack(-2.0) * t, power);
  // e^(−2t) − 1 without cancellation near 0, where the power is 1.
  const DoublePack m = fma_(power, e, power - DoublePack(1.0));
  return copysign_(m / (m + DoublePack(2.0)), x);
}

}  // namespace wide
}  // namespace LO_ISA_NAMESPACE
}  // namespace lo
