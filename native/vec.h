// Packs of 16 floats over the vector registers of one instruction set. Each kernels_*.cpp is compiled for its own
// instruction set and includes this header once, inside a namespace of its own, so no function here can be shared
// between translation units that were compiled with different flags.
//
// Reg: one hardware register. PackOf<N>: the floats of N registers. Pack: 16 floats in as many registers as that takes.
#pragma once

#include <cstdint>

#if defined(__AVX2__) || defined(__AVX512F__) || defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "math.h"

namespace lo {
namespace LO_ISA_NAMESPACE {

#if defined(__AVX512F__)

struct Reg {
  using V = __m512;
  using M = __mmask16;
  static constexpr int width = 16;
  static LO_INLINE V set(float x) { return _mm512_set1_ps(x); }
  static LO_INLINE V load(const float* p) { return _mm512_loadu_ps(p); }
  static LO_INLINE void store(float* p, V v) { _mm512_storeu_ps(p, v); }
  static LO_INLINE V add(V a, V b) { return _mm512_add_ps(a, b); }
  static LO_INLINE V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static LO_INLINE V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static LO_INLINE V div(V a, V b) { return _mm512_div_ps(a, b); }
  static LO_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static LO_INLINE V sqrt(V a) { return _mm512_sqrt_ps(a); }
  static LO_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
  static LO_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
  static LO_INLINE V abs(V a) { return _mm512_abs_ps(a); }
  static LO_INLINE V copysign(V a, V s) {
    const __m512i bit = _mm512_set1_epi32(static_cast<int>(0x80000000u));
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(bit, _mm512_castps_si512(s), _mm512_castps_si512(a), 0xca));
  }
  static LO_INLINE V round(V a) { return _mm512_roundscale_ps(a, 0x08); }
  static LO_INLINE M less(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static LO_INLINE M lessEqual(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
  static LO_INLINE M equal(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
  static LO_INLINE V select(M m, V a, V b) { return _mm512_mask_blend_ps(m, b, a); }
  static LO_INLINE M both(M a, M b) { return static_cast<M>(a & b); }
  static LO_INLINE unsigned bits(M m) { return m; }
  static LO_INLINE M fromBits(unsigned b) { return static_cast<M>(b); }
  static LO_INLINE V splitExponent(V x, V& e) {
    const __m512i half = _mm512_set1_epi32(static_cast<int>(kSqrtHalfBits));
    const __m512i s = _mm512_sub_epi32(_mm512_castps_si512(x), half);
    e = _mm512_cvtepi32_ps(_mm512_srai_epi32(s, 23));
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_and_si512(s, _mm512_set1_epi32(0x007fffff)), half));
  }
  static LO_INLINE V scaleByPowerOfTwo(V x, V n) { return _mm512_scalef_ps(x, n); }
  static LO_INLINE V bitsFromOne(V x) {
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x3f800000)));
  }
  static LO_INLINE V floatFromOne(V d) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_cvtps_epi32(d), _mm512_set1_epi32(0x3f800000)));
  }
  static LO_INLINE V powerOfTwoBelow(V x) {
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7f800000)));
  }
};

#elif defined(__AVX2__)

struct Reg {
  using V = __m256;
  using M = __m256;
  static constexpr int width = 8;
  static LO_INLINE V set(float x) { return _mm256_set1_ps(x); }
  static LO_INLINE V load(const float* p) { return _mm256_loadu_ps(p); }
  static LO_INLINE void store(float* p, V v) { _mm256_storeu_ps(p, v); }
  static LO_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
  static LO_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static LO_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static LO_INLINE V div(V a, V b) { return _mm256_div_ps(a, b); }
  static LO_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static LO_INLINE V sqrt(V a) { return _mm256_sqrt_ps(a); }
  static LO_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
  static LO_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
  static LO_INLINE V abs(V a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  static LO_INLINE V copysign(V a, V s) {
    const V bit = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(bit, a), _mm256_and_ps(bit, s));
  }
  static LO_INLINE V round(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static LO_INLINE M less(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
  static LO_INLINE M lessEqual(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
  static LO_INLINE M equal(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
  static LO_INLINE V select(M m, V a, V b) { return _mm256_blendv_ps(b, a, m); }
  static LO_INLINE M both(M a, M b) { return _mm256_and_ps(a, b); }
  static LO_INLINE unsigned bits(M m) { return static_cast<unsigned>(_mm256_movemask_ps(m)); }
  static LO_INLINE M fromBits(unsigned b) {
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i v = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(b)), lane);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(v, lane));
  }
  static LO_INLINE V splitExponent(V x, V& e) {
    const __m256i half = _mm256_set1_epi32(static_cast<int>(kSqrtHalfBits));
    const __m256i s = _mm256_sub_epi32(_mm256_castps_si256(x), half);
    e = _mm256_cvtepi32_ps(_mm256_srai_epi32(s, 23));
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_and_si256(s, _mm256_set1_epi32(0x007fffff)), half));
  }
  static LO_INLINE V scaleByPowerOfTwo(V x, V n) {
    const __m256i p = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(x, _mm256_castsi256_ps(p));
  }
  static LO_INLINE V bitsFromOne(V x) {
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(0x3f800000)));
  }
  static LO_INLINE V floatFromOne(V d) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_cvtps_epi32(d), _mm256_set1_epi32(0x3f800000)));
  }
  static LO_INLINE V powerOfTwoBelow(V x) {
    return _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32(0x7f800000)));
  }
};

#elif defined(__SSE2__) || defined(_M_X64)

struct Reg {
  using V = __m128;
  using M = __m128;
  static constexpr int width = 4;
  static LO_INLINE V set(float x) { return _mm_set1_ps(x); }
  static LO_INLINE V load(const float* p) { return _mm_loadu_ps(p); }
  static LO_INLINE void store(float* p, V v) { _mm_storeu_ps(p, v); }
  static LO_INLINE V add(V a, V b) { return _mm_add_ps(a, b); }
  static LO_INLINE V sub(V a, V b) { return _mm_sub_ps(a, b); }
  static LO_INLINE V mul(V a, V b) { return _mm_mul_ps(a, b); }
  static LO_INLINE V div(V a, V b) { return _mm_div_ps(a, b); }
  static LO_INLINE V fma(V a, V b, V c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
  static LO_INLINE V sqrt(V a) { return _mm_sqrt_ps(a); }
  static LO_INLINE V min(V a, V b) { return _mm_min_ps(a, b); }
  static LO_INLINE V max(V a, V b) { return _mm_max_ps(a, b); }
  static LO_INLINE V abs(V a) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), a); }
  static LO_INLINE V copysign(V a, V s) {
    const V bit = _mm_set1_ps(-0.0f);
    return _mm_or_ps(_mm_andnot_ps(bit, a), _mm_and_ps(bit, s));
  }
  // Exact for |a| < 2^22; the only caller passes at most 127.
  static LO_INLINE V round(V a) { return _mm_cvtepi32_ps(_mm_cvtps_epi32(a)); }
  static LO_INLINE M less(V a, V b) { return _mm_cmplt_ps(a, b); }
  static LO_INLINE M lessEqual(V a, V b) { return _mm_cmple_ps(a, b); }
  static LO_INLINE M equal(V a, V b) { return _mm_cmpeq_ps(a, b); }
  static LO_INLINE V select(M m, V a, V b) { return _mm_or_ps(_mm_and_ps(m, a), _mm_andnot_ps(m, b)); }
  static LO_INLINE M both(M a, M b) { return _mm_and_ps(a, b); }
  static LO_INLINE unsigned bits(M m) { return static_cast<unsigned>(_mm_movemask_ps(m)); }
  static LO_INLINE M fromBits(unsigned b) {
    const __m128i lane = _mm_setr_epi32(1, 2, 4, 8);
    return _mm_castsi128_ps(_mm_cmpeq_epi32(_mm_and_si128(_mm_set1_epi32(static_cast<int>(b)), lane), lane));
  }
  static LO_INLINE V splitExponent(V x, V& e) {
    const __m128i half = _mm_set1_epi32(static_cast<int>(kSqrtHalfBits));
    const __m128i s = _mm_sub_epi32(_mm_castps_si128(x), half);
    e = _mm_cvtepi32_ps(_mm_srai_epi32(s, 23));
    return _mm_castsi128_ps(_mm_add_epi32(_mm_and_si128(s, _mm_set1_epi32(0x007fffff)), half));
  }
  static LO_INLINE V scaleByPowerOfTwo(V x, V n) {
    const __m128i p = _mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127)), 23);
    return _mm_mul_ps(x, _mm_castsi128_ps(p));
  }
  static LO_INLINE V bitsFromOne(V x) {
    return _mm_cvtepi32_ps(_mm_sub_epi32(_mm_castps_si128(x), _mm_set1_epi32(0x3f800000)));
  }
  static LO_INLINE V floatFromOne(V d) {
    return _mm_castsi128_ps(_mm_add_epi32(_mm_cvtps_epi32(d), _mm_set1_epi32(0x3f800000)));
  }
  static LO_INLINE V powerOfTwoBelow(V x) { return _mm_and_ps(x, _mm_castsi128_ps(_mm_set1_epi32(0x7f800000))); }
};

#elif defined(__ARM_NEON) && defined(__aarch64__)

struct Reg {
  using V = float32x4_t;
  using M = uint32x4_t;
  static constexpr int width = 4;
  static LO_INLINE V set(float x) { return vdupq_n_f32(x); }
  static LO_INLINE V load(const float* p) { return vld1q_f32(p); }
  static LO_INLINE void store(float* p, V v) { vst1q_f32(p, v); }
  static LO_INLINE V add(V a, V b) { return vaddq_f32(a, b); }
  static LO_INLINE V sub(V a, V b) { return vsubq_f32(a, b); }
  static LO_INLINE V mul(V a, V b) { return vmulq_f32(a, b); }
  static LO_INLINE V div(V a, V b) { return vdivq_f32(a, b); }
  static LO_INLINE V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
  static LO_INLINE V sqrt(V a) { return vsqrtq_f32(a); }
  static LO_INLINE V min(V a, V b) { return vminq_f32(a, b); }
  static LO_INLINE V max(V a, V b) { return vmaxq_f32(a, b); }
  static LO_INLINE V abs(V a) { return vabsq_f32(a); }
  static LO_INLINE V copysign(V a, V s) { return vbslq_f32(vdupq_n_u32(0x80000000u), s, a); }
  static LO_INLINE V round(V a) { return vrndnq_f32(a); }
  static LO_INLINE M less(V a, V b) { return vcltq_f32(a, b); }
  static LO_INLINE M lessEqual(V a, V b) { return vcleq_f32(a, b); }
  static LO_INLINE M equal(V a, V b) { return vceqq_f32(a, b); }
  static LO_INLINE V select(M m, V a, V b) { return vbslq_f32(m, a, b); }
  static LO_INLINE M both(M a, M b) { return vandq_u32(a, b); }
  static LO_INLINE unsigned bits(M m) {
    const uint32x4_t lane = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(m, lane));
  }
  static LO_INLINE M fromBits(unsigned b) {
    const uint32x4_t lane = {1, 2, 4, 8};
    return vtstq_u32(vdupq_n_u32(b), lane);
  }
  static LO_INLINE V splitExponent(V x, V& e) {
    const uint32x4_t half = vdupq_n_u32(kSqrtHalfBits);
    const uint32x4_t s = vsubq_u32(vreinterpretq_u32_f32(x), half);
    e = vcvtq_f32_s32(vshrq_n_s32(vreinterpretq_s32_u32(s), 23));
    return vreinterpretq_f32_u32(vaddq_u32(vandq_u32(s, vdupq_n_u32(0x007fffffu)), half));
  }
  static LO_INLINE V scaleByPowerOfTwo(V x, V n) {
    const int32x4_t p = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
    return vmulq_f32(x, vreinterpretq_f32_s32(p));
  }
  static LO_INLINE V bitsFromOne(V x) {
    return vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_f32(x), vdupq_n_s32(0x3f800000)));
  }
  static LO_INLINE V floatFromOne(V d) {
    return vreinterpretq_f32_s32(vaddq_s32(vcvtnq_s32_f32(d), vdupq_n_s32(0x3f800000)));
  }
  static LO_INLINE V powerOfTwoBelow(V x) {
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), vdupq_n_u32(0x7f800000u)));
  }
};

#else

// No vector unit known: one float per register, the scalar functions of math.h.
struct Reg {
  using V = float;
  using M = bool;
  static constexpr int width = 1;
  static LO_INLINE V set(float x) { return x; }
  static LO_INLINE V load(const float* p) { return *p; }
  static LO_INLINE void store(float* p, V v) { *p = v; }
  static LO_INLINE V add(V a, V b) { return a + b; }
  static LO_INLINE V sub(V a, V b) { return a - b; }
  static LO_INLINE V mul(V a, V b) { return a * b; }
  static LO_INLINE V div(V a, V b) { return a / b; }
  static LO_INLINE V fma(V a, V b, V c) { return fma_(a, b, c); }
  static LO_INLINE V sqrt(V a) { return sqrt_(a); }
  static LO_INLINE V min(V a, V b) { return min_(a, b); }
  static LO_INLINE V max(V a, V b) { return max_(a, b); }
  static LO_INLINE V abs(V a) { return abs_(a); }
  static LO_INLINE V copysign(V a, V s) { return copysign_(a, s); }
  static LO_INLINE V round(V a) { return round_(a); }
  static LO_INLINE M less(V a, V b) { return a < b; }
  static LO_INLINE M lessEqual(V a, V b) { return a <= b; }
  static LO_INLINE M equal(V a, V b) { return a == b; }
  static LO_INLINE V select(M m, V a, V b) { return m ? a : b; }
  static LO_INLINE M both(M a, M b) { return a && b; }
  static LO_INLINE unsigned bits(M m) { return m ? 1u : 0u; }
  static LO_INLINE M fromBits(unsigned b) { return (b & 1u) != 0; }
  static LO_INLINE V splitExponent(V x, V& e) { return lo::splitExponent(x, e); }
  static LO_INLINE V scaleByPowerOfTwo(V x, V n) { return lo::scaleByPowerOfTwo(x, n); }
  static LO_INLINE V bitsFromOne(V x) { return lo::bitsFromOne(x); }
  static LO_INLINE V floatFromOne(V d) { return lo::floatFromOne(d); }
  static LO_INLINE V powerOfTwoBelow(V x) { return lo::powerOfTwoBelow(x); }
};

#endif

constexpr int kPackWidth = 16;
constexpr int kRegs = kPackWidth / Reg::width;

template <int N>
struct MaskOf {
  Reg::M m[N];

  static LO_INLINE MaskOf fromBits(unsigned bits) {
    MaskOf r;
    LO_UNROLL for (int k = 0; k < N; ++k) r.m[k] = Reg::fromBits(bits >> (k * Reg::width));
    return r;
  }
  LO_INLINE unsigned bits() const {
    unsigned b = 0;
    LO_UNROLL for (int k = 0; k < N; ++k) b |= Reg::bits(m[k]) << (k * Reg::width);
    return b;
  }
};

// A pack as it lies in memory, at any alignment.
struct PackMemory {
  float lanes[kPackWidth];
};

// Floats in N registers.
template <int N>
struct PackOf {
  static constexpr int width = N * Reg::width;
  Reg::V r[N];

  PackOf() = default;
  LO_INLINE explicit PackOf(const PackMemory& m) : PackOf(load(m.lanes)) {}
  LO_INLINE explicit PackOf(float x) {
    const Reg::V v = Reg::set(x);
    LO_UNROLL for (int k = 0; k < N; ++k) r[k] = v;
  }
  static LO_INLINE PackOf load(const float* p) {
    PackOf v;
    LO_UNROLL for (int k = 0; k < N; ++k) v.r[k] = Reg::load(p + k * Reg::width);
    return v;
  }
  LO_INLINE void store(float* p) const {
    LO_UNROLL for (int k = 0; k < N; ++k) Reg::store(p + k * Reg::width, r[k]);
  }
  // Sum of the lanes in double, in lane order.
  LO_INLINE double sum() const {
    float lanes[width];
    store(lanes);
    double s = 0;
    for (int i = 0; i < width; ++i) s += static_cast<double>(lanes[i]);
    return s;
  }
};

using Pack = PackOf<kRegs>;
using Mask = MaskOf<kRegs>;

LO_INLINE void put(PackMemory& memory, Pack value) { value.store(memory.lanes); }

#define LO_PACK_BINARY(NAME, OP)                                                      \
  template <int N>                                                                    \
  LO_INLINE PackOf<N> NAME(PackOf<N> a, PackOf<N> b) {                                \
    PackOf<N> r;                                                                      \
    LO_UNROLL for (int k = 0; k < N; ++k) r.r[k] = Reg::OP(a.r[k], b.r[k]);           \
    return r;                                                                         \
  }
#define LO_PACK_UNARY(NAME, OP)                                                       \
  template <int N>                                                                    \
  LO_INLINE PackOf<N> NAME(PackOf<N> a) {                                             \
    PackOf<N> r;                                                                      \
    LO_UNROLL for (int k = 0; k < N; ++k) r.r[k] = Reg::OP(a.r[k]);                   \
    return r;                                                                         \
  }
#define LO_PACK_COMPARE(NAME, OP)                                                     \
  template <int N>                                                                    \
  LO_INLINE MaskOf<N> NAME(PackOf<N> a, PackOf<N> b) {                                \
    MaskOf<N> r;                                                                      \
    LO_UNROLL for (int k = 0; k < N; ++k) r.m[k] = Reg::OP(a.r[k], b.r[k]);           \
    return r;                                                                         \
  }

LO_PACK_BINARY(operator+, add)
LO_PACK_BINARY(operator-, sub)
LO_PACK_BINARY(operator*, mul)
LO_PACK_BINARY(operator/, div)
LO_PACK_BINARY(min_, min)
LO_PACK_BINARY(max_, max)
LO_PACK_BINARY(copysign_, copysign)
LO_PACK_UNARY(sqrt_, sqrt)
LO_PACK_UNARY(abs_, abs)
LO_PACK_UNARY(round_, round)
LO_PACK_UNARY(bitsFromOne, bitsFromOne)
LO_PACK_UNARY(floatFromOne, floatFromOne)
LO_PACK_UNARY(powerOfTwoBelow, powerOfTwoBelow)
LO_PACK_COMPARE(operator<, less)
LO_PACK_COMPARE(operator<=, lessEqual)
LO_PACK_COMPARE(operator==, equal)

#undef LO_PACK_BINARY
#undef LO_PACK_UNARY
#undef LO_PACK_COMPARE

template <int N>
LO_INLINE PackOf<N> fma_(PackOf<N> a, PackOf<N> b, PackOf<N> c) {
  PackOf<N> r;
  LO_UNROLL for (int k = 0; k < N; ++k) r.r[k] = Reg::fma(a.r[k], b.r[k], c.r[k]);
  return r;
}
template <int N>
LO_INLINE PackOf<N> select_(MaskOf<N> m, PackOf<N> a, PackOf<N> b) {
  PackOf<N> r;
  LO_UNROLL for (int k = 0; k < N; ++k) r.r[k] = Reg::select(m.m[k], a.r[k], b.r[k]);
  return r;
}
template <int N>
LO_INLINE PackOf<N> splitExponent(PackOf<N> x, PackOf<N>& e) {
  PackOf<N> r;
  LO_UNROLL for (int k = 0; k < N; ++k) r.r[k] = Reg::splitExponent(x.r[k], e.r[k]);
  return r;
}
template <int N>
LO_INLINE PackOf<N> scaleByPowerOfTwo(PackOf<N> x, PackOf<N> n) {
  PackOf<N> r;
  LO_UNROLL for (int k = 0; k < N; ++k) r.r[k] = Reg::scaleByPowerOfTwo(x.r[k], n.r[k]);
  return r;
}

}  // namespace LO_ISA_NAMESPACE
}  // namespace lo
