// Transcendental functions of the step, each written once for every number type.
//
// `double` uses the C library (it is the reference). `float` and the SIMD packs of vec.h use the approximations below;
// their largest errors over the whole range are stated here and tested in native/test/math_test.cpp.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "platform.h"

namespace lo {

// ---- scalar float and double: the operations that packs have as members of vec.h ----

LO_HD LO_INLINE float fma_(float a, float b, float c) {
#if defined(__CUDA_ARCH__) || defined(__FMA__) || defined(__aarch64__)
  return fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
LO_HD LO_INLINE double fma_(double a, double b, double c) { return a * b + c; }
LO_HD LO_INLINE float sqrt_(float x) { return sqrtf(x); }
LO_HD LO_INLINE double sqrt_(double x) { return sqrt(x); }
LO_HD LO_INLINE float min_(float a, float b) { return a < b ? a : b; }
LO_HD LO_INLINE double min_(double a, double b) { return a < b ? a : b; }
LO_HD LO_INLINE float max_(float a, float b) { return a > b ? a : b; }
LO_HD LO_INLINE double max_(double a, double b) { return a > b ? a : b; }
LO_HD LO_INLINE float abs_(float x) { return fabsf(x); }
LO_HD LO_INLINE double abs_(double x) { return fabs(x); }
LO_HD LO_INLINE float copysign_(float x, float sign) { return copysignf(x, sign); }
LO_HD LO_INLINE double copysign_(double x, double sign) { return copysign(x, sign); }
LO_HD LO_INLINE float round_(float x) { return rintf(x); }
LO_HD LO_INLINE float select_(bool m, float a, float b) { return m ? a : b; }
LO_HD LO_INLINE double select_(bool m, double a, double b) { return m ? a : b; }

LO_HD LO_INLINE float bitsToFloat(std::uint32_t bits) {
  float f;
  memcpy(&f, &bits, 4);
  return f;
}
LO_HD LO_INLINE std::uint32_t floatToBits(float f) {
  std::uint32_t bits;
  memcpy(&bits, &f, 4);
  return bits;
}

// x = m·2^e with m in [√½, √2), for positive normal x; e as a float.
constexpr std::uint32_t kSqrtHalfBits = 0x3f3504f3u;
LO_HD LO_INLINE float splitExponent(float x, float& e) {
  std::uint32_t shifted = floatToBits(x) - kSqrtHalfBits;
  e = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
  return bitsToFloat((shifted & 0x007fffffu) + kSqrtHalfBits);
}
// x·2^n for integer-valued n in [-126, 127].
LO_HD LO_INLINE float scaleByPowerOfTwo(float x, float n) {
  return x * bitsToFloat(static_cast<std::uint32_t>(static_cast<std::int32_t>(n) + 127) << 23);
}

// Floats are ordered as their bits: where the bits of a positive x lie, seen from those of 1, and back to the float.
LO_HD LO_INLINE float bitsFromOne(float x) {
  return static_cast<float>(static_cast<std::int32_t>(floatToBits(x) - 0x3f800000u));
}
LO_HD LO_INLINE float floatFromOne(float distance) {
  return bitsToFloat(static_cast<std::uint32_t>(static_cast<std::int32_t>(rintf(distance)) + 0x3f800000));
}
// 2^⌊log₂ x⌋ for positive normal x.
LO_HD LO_INLINE float powerOfTwoBelow(float x) { return bitsToFloat(floatToBits(x) & 0x7f800000u); }
LO_HD LO_INLINE double powerOfTwoBelow(double x) {
  int e;
  frexp(x, &e);
  return ldexp(0.5, e);
}

// ---- approximations for float-valued types (P: float or a pack of floats) ----

// Horner evaluation, highest coefficient first.
template <class P>
LO_HD LO_INLINE P horner(P, P acc) {
  return acc;
}
template <class P, class... C>
LO_HD LO_INLINE P horner(P x, P acc, float c, C... rest) {
  return horner(x, fma_(acc, x, P(c)), rest...);
}

// ln x for positive normal x. Error ≤ 2 ulp, or 1.2e-7 absolute near 1.
template <class P>
LO_HD LO_INLINE P log_(P x) {
  P e;
  const P f = splitExponent(x, e) - P(1.0f);
  P p = horner(f, P(-0.07634500414133072f), 0.127615824341774f, -0.13160182535648346f, 0.14201757311820984f,
               -0.16623356938362122f, 0.20001226663589478f, -0.2500081956386566f, 0.3333333134651184f);
  const P f2 = f * f;
  P r = fma_(p * f, f2, e * P(-2.12194440e-4f));
  r = fma_(f2, P(-0.5f), r);
  return fma_(e, P(0.693359375f), r + f);
}

// e^x; arguments are clamped to [-87, 88]. Error ≤ 2 ulp inside.
template <class P>
LO_HD LO_INLINE P exp_(P x) {
  x = max_(min_(x, P(88.0f)), P(-87.0f));
  const P n = round_(x * P(1.44269504f));
  P r = fma_(n, P(-0.693359375f), x);
  r = fma_(n, P(2.12194440e-4f), r);
  const P p = horner(r, P(0.001381461275741458f), 0.008368710055947304f, 0.04166838899254799f, 0.1666652113199234f,
                     0.4999999403953552f, 1.0f, 1.0f);
  return scaleByPowerOfTwo(p, n);
}

// tanh x as an odd rational function with one division. Absolute and relative error ≤ 4e-7.
template <class P>
LO_HD LO_INLINE P tanh_(P x) {
  x = max_(min_(x, P(9.02f)), P(-9.02f));
  const P s = x * x;
  const P num = horner(s, P(1.8162157471276838e-11f), -1.2743703627883304e-08f, 9.255090068550824e-06f,
                       0.0029194070115475747f, 0.12917967293536267f, 0.9999999399082066f);
  const P den =
      horner(s, P(0.00022791311373657777f), 0.023757619411563565f, 0.46251250180718034f, 1.0f);
  return x * num / den;
}

// σ(x) = ½ + ½·tanh ½x; the halves are in the coefficients, which are those of tanh_ times powers of two. Absolute error ≤ 2.5e-7.
template <class P>
LO_HD LO_INLINE P sigmoid_(P x) {
  x = max_(min_(x, P(18.04f)), P(-18.04f));
  const P s = x * x;
  const P num = horner(s, P(4.434120493603802e-15f), -1.2445023310492243e-11f, 3.615269505985452e-08f,
                       4.561573587125167e-05f, 0.00807372946292162f, 0.2499999850988388f);
  const P den = horner(s, P(3.5611424209491815e-06f), 0.0014848512364551425f, 0.11562812328338623f, 1.0f);
  return x * num / den + P(0.5f);
}

// σ(x) and 1 − σ(x), both with relative error ≤ 4e-7 on [-87, 87] (decays close to 1 need their complement).
template <class P>
LO_HD LO_INLINE void sigmoidWithComplement(P x, P& value, P& complement) {
  const P e = exp_(P(0.0f) - x);
  value = P(1.0f) / (P(1.0f) + e);
  complement = e * value;
}

// asinh x: odd, no cancellation near 0, no overflow up to 1.7e38, far beyond what a step passes. Relative error ≤ 4e-7.
template <class P>
LO_HD LO_INLINE P asinh_(P x) {
  const P t = abs_(x);
  const P c = min_(t, P(1e9f));
  // Beyond 1e9, √(t² + 1) is t to working precision and its square would overflow.
  const P root = max_(t, sqrt_(fma_(c, c, P(1.0f))));
  const P large = log_(t + root);
  const P s = x * x;
  const P small = t * horner(s, P(0.019908584654331207f), -0.04258076846599579f, 0.07482577115297318f,
                             -0.16666141152381897f, 1.0f);
  return copysign_(select_(t < P(0.5f), small, large), x);
}

// ---- double: the C library ----

LO_HD LO_INLINE double log_(double x) { return log(x); }
LO_HD LO_INLINE double exp_(double x) { return exp(x); }
LO_HD LO_INLINE double tanh_(double x) { return tanh(x); }
LO_HD LO_INLINE double sigmoid_(double x) { return 1.0 / (1.0 + exp(-x)); }
LO_HD LO_INLINE void sigmoidWithComplement(double x, double& value, double& complement) {
  value = 1.0 / (1.0 + exp(-x));
  complement = 1.0 / (1.0 + exp(x));
}
LO_HD LO_INLINE double asinh_(double x) { return asinh(x); }

// ---- the functions of algebraic activations: exact by definition, without a transcendental function ----

constexpr double kLn2 = 0.69314718055994530942;

// ln 2·(e + m − 1) for x = m·2^e with m in [1, 2): ln x at powers of two, linear between, at most 0.0597 below ln x. In float
// within 8e-6 of that for positive normal x.
template <class P>
LO_HD LO_INLINE P piecewiseLog_(P x) {
  return bitsFromOne(x) * P(static_cast<float>(kLn2 / 8388608.0));
}
LO_HD LO_INLINE double piecewiseLog_(double x) {
  int e;
  const double m = 2 * frexp(x, &e);
  return kLn2 * (e - 1 + (m - 1));
}

// The inverse of piecewiseLog_: e^x at multiples of ln 2, linear between, at most 6.2 % above. Arguments are clamped to
// [-87, 88]; in float the relative error is at most 8e-6.
template <class P>
LO_HD LO_INLINE P piecewiseExp_(P x) {
  x = max_(min_(x, P(88.0f)), P(-87.0f));
  return floatFromOne(x * P(static_cast<float>(8388608.0 / kLn2)));
}
LO_HD LO_INLINE double piecewiseExp_(double x) {
  const double t = max_(min_(x, 88.0), -87.0) / kLn2;
  const double n = floor(t);
  return ldexp(1 + (t - n), static_cast<int>(n));
}

// x/(1 + |x|), in the place of tanh x.
template <class P>
LO_HD LO_INLINE P softsign_(P x) {
  return x / (abs_(x) + P(1));
}

// ½ + ½·softsign 2x, in the place of σ(x): 0.9 where σ has it, at 2 and 2.2, and saturating more slowly beyond.
template <class P>
LO_HD LO_INLINE P softSigmoid_(P x) {
  return fma_(x / (abs_(x) + P(0.5f)), P(0.5f), P(0.5f));
}

// σ with the piecewise e^x, and its complement: both keep their relative accuracy.
template <class P>
LO_HD LO_INLINE void piecewiseSigmoidWithComplement(P x, P& value, P& complement) {
  const P e = piecewiseExp_(P(0) - x);
  value = P(1) / (e + P(1));
  complement = e * value;
}

}  // namespace lo
