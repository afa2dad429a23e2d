// Packs of 8 doubles over the vector registers of one instruction set, with what a GRU needs: the tensor level is computed
// in double, eight tensors side by side. Included, like vec.h, by files that are compiled for one instruction set. In a
// namespace within that of the instruction set, so that its functions do not hide those of math.h from the packs of floats.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__) || defined(__AVX512F__) || defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "math.h"
#include "param_step.h"

namespace lo {
namespace LO_ISA_NAMESPACE {
namespace wide {

#if defined(__AVX512F__)

struct DoubleReg {
  using V = __m512d;
  static constexpr int width = 8;
  static LO_INLINE V set(double x) { return _mm512_set1_pd(x); }
  static LO_INLINE V load(const double* p) { return _mm512_loadu_pd(p); }
  static LO_INLINE void store(double* p, V v) { _mm512_storeu_pd(p, v); }
  static LO_INLINE V add(V a, V b) { return _mm512_add_pd(a, b); }
  static LO_INLINE V sub(V a, V b) { return _mm512_sub_pd(a, b); }
  static LO_INLINE V mul(V a, V b) { return _mm512_mul_pd(a, b); }
  static LO_INLINE V div(V a, V b) { return _mm512_div_pd(a, b); }
  static LO_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
  static LO_INLINE V min(V a, V b) { return _mm512_min_pd(a, b); }
  static LO_INLINE V max(V a, V b) { return _mm512_max_pd(a, b); }
  static LO_INLINE V abs(V a) { return _mm512_abs_pd(a); }
  static LO_INLINE V copysign(V a, V s) {
    const __m512i bit = _mm512_set1_epi64(INT64_MIN);
    return _mm512_castsi512_pd(_mm512_ternarylogic_epi64(bit, _mm512_castpd_si512(s), _mm512_castpd_si512(a), 0xca));
  }
  static LO_INLINE V shiftToExponent(V a) { return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), 52)); }
};

#elif defined(__AVX2__)

struct DoubleReg {
  using V = __m256d;
  static constexpr int width = 4;
  static LO_INLINE V set(double x) { return _mm256_set1_pd(x); }
  static LO_INLINE V load(const double* p) { return _mm256_loadu_pd(p); }
  static LO_INLINE void store(double* p, V v) { _mm256_storeu_pd(p, v); }
  static LO_INLINE V add(V a, V b) { return _mm256_add_pd(a, b); }
  static LO_INLINE V sub(V a, V b) { return _mm256_sub_pd(a, b); }
  static LO_INLINE V mul(V a, V b) { return _mm256_mul_pd(a, b); }
  static LO_INLINE V div(V a, V b) { return _mm256_div_pd(a, b); }
  static LO_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
  static LO_INLINE V min(V a, V b) { return _mm256_min_pd(a, b); }
  static LO_INLINE V max(V a, V b) { return _mm256_max_pd(a, b); }
  static LO_INLINE V abs(V a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
  static LO_INLINE V copysign(V a, V s) {
    const V bit = _mm256_set1_pd(-0.0);
    return _mm256_or_pd(_mm256_andnot_pd(bit, a), _mm256_and_pd(bit, s));
  }
  static LO_INLINE V shiftToExponent(V a) { return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a), 52)); }
};

#elif defined(__SSE2__) || defined(_M_X64)

struct DoubleReg {
  using V = __m128d;
  static constexpr int width = 2;
  static LO_INLINE V set(double x) { return _mm_set1_pd(x); }
  static LO_INLINE V load(const double* p) { return _mm_loadu_pd(p); }
  static LO_INLINE void store(double* p, V v) { _mm_storeu_pd(p, v); }
  static LO_INLINE V add(V a, V b) { return _mm_add_pd(a, b); }
  static LO_INLINE V sub(V a, V b) { return _mm_sub_pd(a, b); }
  static LO_INLINE V mul(V a, V b) { return _mm_mul_pd(a, b); }
  static LO_INLINE V div(V a, V b) { return _mm_div_pd(a, b); }
  static LO_INLINE V fma(V a, V b, V c) { return _mm_add_pd(_mm_mul_pd(a, b), c); }
  static LO_INLINE V min(V a, V b) { return _mm_min_pd(a, b); }
  static LO_INLINE V max(V a, V b) { return _mm_max_pd(a, b); }
  static LO_INLINE V abs(V a) { return _mm_andnot_pd(_mm_set1_pd(-0.0), a); }
  static LO_INLINE V copysign(V a, V s) {
    const V bit = _mm_set1_pd(-0.0);
    return _mm_or_pd(_mm_andnot_pd(bit, a), _mm_and_pd(bit, s));
  }
  static LO_INLINE V shiftToExponent(V a) { return _mm_castsi128_pd(_mm_slli_epi64(_mm_castpd_si128(a), 52)); }
};

#elif defined(__ARM_NEON) && defined(__aarch64__)

struct DoubleReg {
  using V = float64x2_t;
  static constexpr int width = 2;
  static LO_INLINE V set(double x) { return vdupq_n_f64(x); }
  static LO_INLINE V load(const double* p) { return vld1q_f64(p); }
  static LO_INLINE void store(double* p, V v) { vst1q_f64(p, v); }
  static LO_INLINE V add(V a, V b) { return vaddq_f64(a, b); }
  static LO_INLINE V sub(V a, V b) { return vsubq_f64(a, b); }
  static LO_INLINE V mul(V a, V b) { return vmulq_f64(a, b); }
  static LO_INLINE V div(V a, V b) { return vdivq_f64(a, b); }
  static LO_INLINE V fma(V a, V b, V c) { return vfmaq_f64(c, a, b); }
  static LO_INLINE V min(V a, V b) { return vminq_f64(a, b); }
  static LO_INLINE V max(V a, V b) { return vmaxq_f64(a, b); }
  static LO_INLINE V abs(V a) { return vabsq_f64(a); }
  static LO_INLINE V copysign(V a, V s) { return vbslq_f64(vdupq_n_u64(0x8000000000000000u), s, a); }
  static LO_INLINE V shiftToExponent(V a) { return vreinterpretq_f64_u64(vshlq_n_u64(vreinterpretq_u64_f64(a), 52)); }
};

#else

struct DoubleReg {
  using V = double;
  static constexpr int width = 1;
  static LO_INLINE V set(double x) { return x; }
  static LO_INLINE V load(const double* p) { return *p; }
  static LO_INLINE void store(double* p, V v) { *p = v; }
  static LO_INLINE V add(V a, V b) { return a + b; }
  static LO_INLINE V sub(V a, V b) { return a - b; }
  static LO_INLINE V mul(V a, V b) { return a * b; }
  static LO_INLINE V div(V a, V b) { return a / b; }
  static LO_INLINE V fma(V a, V b, V c) { return lo::fma_(a, b, c); }
  static LO_INLINE V min(V a, V b) { return lo::min_(a, b); }
  static LO_INLINE V max(V a, V b) { return lo::max_(a, b); }
  static LO_INLINE V abs(V a) { return lo::abs_(a); }
  static LO_INLINE V copysign(V a, V s) { return lo::copysign_(a, s); }
  static LO_INLINE V shiftToExponent(V a) {
    std::uint64_t bits;
    memcpy(&bits, &a, 8);
    bits <<= 52;
    memcpy(&a, &bits, 8);
    return a;
  }
};

#endif

constexpr int kDoublePackWidth = 8;
constexpr int kDoubleRegs = kDoublePackWidth / DoubleReg::width;

struct DoublePack {
  DoubleReg::V r[kDoubleRegs];

  DoublePack() = default;
  LO_INLINE explicit DoublePack(double x) {
    const DoubleReg::V v = DoubleReg::set(x);
    LO_UNROLL for (int k = 0; k < kDoubleRegs; ++k) r[k] = v;
  }
  static LO_INLINE DoublePack load(const double* p) {
    DoublePack v;
    LO_UNROLL for (int k = 0; k < kDoubleRegs; ++k) v.r[k] = DoubleReg::load(p + k * DoubleReg::width);
    return v;
  }
  LO_INLINE void store(double* p) const {
    LO_UNROLL for (int k = 0; k < kDoubleRegs; ++k) DoubleReg::store(p + k * DoubleReg::width, r[k]);
  }
};

#define LO_DOUBLE_BINARY(NAME, OP)                                                          \
  LO_INLINE DoublePack NAME(DoublePack a, DoublePack b) {                                   \
    DoublePack r;                                                                           \
    LO_UNROLL for (int k = 0; k < kDoubleRegs; ++k) r.r[k] = DoubleReg::OP(a.r[k], b.r[k]); \
    return r;                                                                               \
  }
#define LO_DOUBLE_UNARY(NAME, OP)                                                           \
  LO_INLINE DoublePack NAME(DoublePack a) {                                                 \
    DoublePack r;                                                                           \
    LO_UNROLL for (int k = 0; k < kDoubleRegs; ++k) r.r[k] = DoubleReg::OP(a.r[k]);         \
    return r;                                                                               \
  }

LO_DOUBLE_BINARY(operator+, add)
LO_DOUBLE_BINARY(operator-, sub)
LO_DOUBLE_BINARY(operator*, mul)
LO_DOUBLE_BINARY(operator/, div)
LO_DOUBLE_BINARY(min_, min)
LO_DOUBLE_BINARY(max_, max)
LO_DOUBLE_BINARY(copysign_, copysign)
LO_DOUBLE_UNARY(abs_, abs)
LO_DOUBLE_UNARY(shiftToExponent, shiftToExponent)

#undef LO_DOUBLE_BINARY
#undef LO_DOUBLE_UNARY

LO_INLINE DoublePack fma_(DoublePack a, DoublePack b, DoublePack c) {
  DoublePack r;
  LO_UNROLL for (int k = 0; k < kDoubleRegs; ++k) r.r[k] = DoubleReg::fma(a.r[k], b.r[k], c.r[k]);
  return r;
}

}  // namespace wide
}  // namespace LO_ISA_NAMESPACE

template <>
struct ScalarOf<LO_ISA_NAMESPACE::wide::DoublePack> {
  using type = double;
};

// Register blocking, as for the packs of floats.
template <>
struct TileOf<LO_ISA_NAMESPACE::wide::DoublePack> {
#if defined(__AVX512F__)
  static constexpr int value = 20;
#elif defined(__ARM_NEON)
  static constexpr int value = 5;
#elif defined(__AVX2__)
  static constexpr int value = 6;
#else
  static constexpr int value = 2;
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
  static constexpr bool apart = true;
#else
  static constexpr bool apart = false;
#endif
};

}  // namespace lo
