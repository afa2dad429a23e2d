// 16 words of 32 bits beside a Pack of 16 floats (vec.h), for the state in 16 bits (compact_state.h): the same arithmetic, the
// same bits, per instruction set. Included inside the translation unit of one instruction set, after LO_ISA_NAMESPACE is set.
//
// WordReg: as many words as Reg has floats. Words: 16 of them.
#pragma once

#include "compact_state.h"
#include "vec.h"

namespace lo {
namespace LO_ISA_NAMESPACE {

#if defined(__AVX512F__)

struct WordReg {
  using I = __m512i;
  static LO_INLINE I set(std::uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static LO_INLINE I load(const std::uint32_t* p) { return _mm512_loadu_si512(p); }
  static LO_INLINE I add(I a, I b) { return _mm512_add_epi32(a, b); }
  static LO_INLINE I mul(I a, I b) { return _mm512_mullo_epi32(a, b); }
  template <int Bits>
  static LO_INLINE I foldRight(I a) {
    return _mm512_xor_si512(a, _mm512_srli_epi32(a, Bits));
  }
  static LO_INLINE I lowHalf(I a) { return _mm512_and_si512(a, _mm512_set1_epi32(0xffff)); }
  static LO_INLINE I highHalf(I a) { return _mm512_srli_epi32(a, 16); }
  static LO_INLINE Reg::V asFloat(I a) { return _mm512_castsi512_ps(a); }
  static LO_INLINE I asWord(Reg::V a) { return _mm512_castps_si512(a); }
  static LO_INLINE Reg::V toFloat(I a) { return _mm512_cvtepi32_ps(a); }
  static LO_INLINE I toInteger(Reg::V a) { return _mm512_cvtps_epi32(a); }
};

#elif defined(__AVX2__)

struct WordReg {
  using I = __m256i;
  static LO_INLINE I set(std::uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static LO_INLINE I load(const std::uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static LO_INLINE I add(I a, I b) { return _mm256_add_epi32(a, b); }
  static LO_INLINE I mul(I a, I b) { return _mm256_mullo_epi32(a, b); }
  template <int Bits>
  static LO_INLINE I foldRight(I a) {
    return _mm256_xor_si256(a, _mm256_srli_epi32(a, Bits));
  }
  static LO_INLINE I lowHalf(I a) { return _mm256_and_si256(a, _mm256_set1_epi32(0xffff)); }
  static LO_INLINE I highHalf(I a) { return _mm256_srli_epi32(a, 16); }
  static LO_INLINE Reg::V asFloat(I a) { return _mm256_castsi256_ps(a); }
  static LO_INLINE I asWord(Reg::V a) { return _mm256_castps_si256(a); }
  static LO_INLINE Reg::V toFloat(I a) { return _mm256_cvtepi32_ps(a); }
  static LO_INLINE I toInteger(Reg::V a) { return _mm256_cvtps_epi32(a); }
};

#elif defined(__SSE2__) || defined(_M_X64)

struct WordReg {
  using I = __m128i;
  static LO_INLINE I set(std::uint32_t x) { return _mm_set1_epi32(static_cast<int>(x)); }
  static LO_INLINE I load(const std::uint32_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static LO_INLINE I add(I a, I b) { return _mm_add_epi32(a, b); }
  // SSE2 multiplies the even words only.
  static LO_INLINE I mul(I a, I b) {
    const I even = _mm_mul_epu32(a, b), odd = _mm_mul_epu32(_mm_srli_si128(a, 4), _mm_srli_si128(b, 4));
    return _mm_unpacklo_epi32(_mm_shuffle_epi32(even, 0x08), _mm_shuffle_epi32(odd, 0x08));
  }
  template <int Bits>
  static LO_INLINE I foldRight(I a) {
    return _mm_xor_si128(a, _mm_srli_epi32(a, Bits));
  }
  static LO_INLINE I lowHalf(I a) { return _mm_and_si128(a, _mm_set1_epi32(0xffff)); }
  static LO_INLINE I highHalf(I a) { return _mm_srli_epi32(a, 16); }
  static LO_INLINE Reg::V asFloat(I a) { return _mm_castsi128_ps(a); }
  static LO_INLINE I asWord(Reg::V a) { return _mm_castps_si128(a); }
  static LO_INLINE Reg::V toFloat(I a) { return _mm_cvtepi32_ps(a); }
  static LO_INLINE I toInteger(Reg::V a) { return _mm_cvtps_epi32(a); }
};

#elif defined(__ARM_NEON) && defined(__aarch64__)

struct WordReg {
  using I = uint32x4_t;
  static LO_INLINE I set(std::uint32_t x) { return vdupq_n_u32(x); }
  static LO_INLINE I load(const std::uint32_t* p) { return vld1q_u32(p); }
  static LO_INLINE I add(I a, I b) { return vaddq_u32(a, b); }
  static LO_INLINE I mul(I a, I b) { return vmulq_u32(a, b); }
  template <int Bits>
  static LO_INLINE I foldRight(I a) {
    return veorq_u32(a, vshrq_n_u32(a, Bits));
  }
  static LO_INLINE I lowHalf(I a) { return vandq_u32(a, vdupq_n_u32(0xffffu)); }
  static LO_INLINE I highHalf(I a) { return vshrq_n_u32(a, 16); }
  static LO_INLINE Reg::V asFloat(I a) { return vreinterpretq_f32_u32(a); }
  static LO_INLINE I asWord(Reg::V a) { return vreinterpretq_u32_f32(a); }
  static LO_INLINE Reg::V toFloat(I a) { return vcvtq_f32_s32(vreinterpretq_s32_u32(a)); }
  static LO_INLINE I toInteger(Reg::V a) { return vreinterpretq_u32_s32(vcvtnq_s32_f32(a)); }
};

#else

struct WordReg {
  using I = std::uint32_t;
  static LO_INLINE I set(std::uint32_t x) { return x; }
  static LO_INLINE I load(const std::uint32_t* p) { return *p; }
  static LO_INLINE I add(I a, I b) { return a + b; }
  static LO_INLINE I mul(I a, I b) { return a * b; }
  template <int Bits>
  static LO_INLINE I foldRight(I a) {
    return a ^ a >> Bits;
  }
  static LO_INLINE I lowHalf(I a) { return a & 0xffffu; }
  static LO_INLINE I highHalf(I a) { return a >> 16; }
  static LO_INLINE Reg::V asFloat(I a) { return bitsToFloat(a); }
  static LO_INLINE I asWord(Reg::V a) { return floatToBits(a); }
  static LO_INLINE Reg::V toFloat(I a) { return static_cast<float>(static_cast<std::int32_t>(a)); }
  // Vector units give the lowest integer for what is below it.
  static LO_INLINE I toInteger(Reg::V a) { return static_cast<I>(static_cast<std::int32_t>(lo::round_(lo::max_(a, -0x1p31f)))); }
};

#endif

struct Words {
  WordReg::I r[kRegs];

  Words() = default;
  LO_INLINE explicit Words(std::uint32_t x) {
    const WordReg::I v = WordReg::set(x);
    LO_UNROLL for (int k = 0; k < kRegs; ++k) r[k] = v;
  }
};

LO_INLINE Words operator+(const Words& a, const Words& b) {
  Words w;
  LO_UNROLL for (int k = 0; k < kRegs; ++k) w.r[k] = WordReg::add(a.r[k], b.r[k]);
  return w;
}
LO_INLINE Words operator*(const Words& a, const Words& b) {
  Words w;
  LO_UNROLL for (int k = 0; k < kRegs; ++k) w.r[k] = WordReg::mul(a.r[k], b.r[k]);
  return w;
}
// a ^ a >> Bits
template <int Bits>
LO_INLINE Words foldRight(const Words& a) {
  Words w;
  LO_UNROLL for (int k = 0; k < kRegs; ++k) w.r[k] = WordReg::foldRight<Bits>(a.r[k]);
  return w;
}
// The lower or the upper halves, as numbers.
LO_INLINE Words halvesOf(const Words& a, bool upper) {
  Words w;
  LO_UNROLL for (int k = 0; k < kRegs; ++k) w.r[k] = upper ? WordReg::highHalf(a.r[k]) : WordReg::lowHalf(a.r[k]);
  return w;
}

// Words whose upper halves are a row of compact state and whose lower halves are 0.
LO_INLINE Words loadRow(const std::uint16_t* row) {
  Words w;
#if defined(__AVX512F__)
  const __m512i both = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row)));
  const __m512i shift = _mm512_setr_epi32(16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0);
  w.r[0] = _mm512_and_si512(_mm512_sllv_epi32(both, shift), _mm512_set1_epi32(static_cast<int>(0xffff0000u)));
#elif defined(__AVX2__)
  const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row));
  w.r[0] = _mm256_slli_epi32(both, 16);
  w.r[1] = _mm256_and_si256(both, _mm256_set1_epi32(static_cast<int>(0xffff0000u)));
#elif defined(__SSE2__) || defined(_M_X64)
  LO_UNROLL for (int k = 0; k < 2; ++k) {
    const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row) + k);
    w.r[k] = _mm_slli_epi32(both, 16);
    w.r[k + 2] = _mm_and_si128(both, _mm_set1_epi32(static_cast<int>(0xffff0000u)));
  }
#elif defined(__ARM_NEON) && defined(__aarch64__)
  LO_UNROLL for (int k = 0; k < 2; ++k) {
    const uint32x4_t both = vreinterpretq_u32_u16(vld1q_u16(row + 8 * k));
    w.r[k] = vshlq_n_u32(both, 16);
    w.r[k + 2] = vandq_u32(both, vdupq_n_u32(0xffff0000u));
  }
#else
  for (int k = 0; k < kPackWidth; ++k) {
    w.r[k] = static_cast<std::uint32_t>(row[compactSlot(static_cast<std::size_t>(k))]) << 16;
  }
#endif
  return w;
}

// Keeps the upper halves of the words as a row of compact state.
LO_INLINE void storeRow(std::uint16_t* row, const Words& w) {
#if defined(__AVX512F__)
  const __m256i low = _mm256_srli_epi32(_mm512_castsi512_si256(w.r[0]), 16), high = _mm512_extracti64x4_epi64(w.r[0], 1);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(row), _mm256_blend_epi16(low, high, 0xaa));
#elif defined(__AVX2__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(row), _mm256_blend_epi16(_mm256_srli_epi32(w.r[0], 16), w.r[1], 0xaa));
#elif defined(__SSE2__) || defined(_M_X64)
  LO_UNROLL for (int k = 0; k < 2; ++k) {
    const __m128i high = _mm_and_si128(w.r[k + 2], _mm_set1_epi32(static_cast<int>(0xffff0000u)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(row) + k, _mm_or_si128(_mm_srli_epi32(w.r[k], 16), high));
  }
#elif defined(__ARM_NEON) && defined(__aarch64__)
  LO_UNROLL for (int k = 0; k < 2; ++k) {
    vst1q_u16(row + 8 * k, vreinterpretq_u16_u32(vsriq_n_u32(w.r[k + 2], w.r[k], 16)));
  }
#else
  for (int k = 0; k < kPackWidth; ++k) {
    row[compactSlot(static_cast<std::size_t>(k))] = static_cast<std::uint16_t>(w.r[k] >> 16);
  }
#endif
}

// firstDraws of 16 consecutive coordinates from `index` on, and nextDraws.
LO_INLINE Words firstDrawsFrom(std::uint32_t index, std::uint32_t seed) {
  static constexpr std::uint32_t strides[kPackWidth] = {
      0,                0x9e3779b1u,      0x9e3779b1u * 2,  0x9e3779b1u * 3,  0x9e3779b1u * 4,  0x9e3779b1u * 5,
      0x9e3779b1u * 6,  0x9e3779b1u * 7,  0x9e3779b1u * 8,  0x9e3779b1u * 9,  0x9e3779b1u * 10, 0x9e3779b1u * 11,
      0x9e3779b1u * 12, 0x9e3779b1u * 13, 0x9e3779b1u * 14, 0x9e3779b1u * 15};
  static_assert(kDrawStride == 0x9e3779b1u, "multiples of the stride");
  Words x;
  LO_UNROLL for (int k = 0; k < kRegs; ++k) x.r[k] = WordReg::load(strides + k * Reg::width);
  x = x + Words(index * kDrawStride + seed);
  x = foldRight<16>(x) * Words(kDrawMix1);
  x = foldRight<15>(x) * Words(kDrawMix2);
  return foldRight<16>(x);
}
LO_INLINE Words nextDraws(const Words& draws) { return draws * Words(kDrawNext); }

LO_INLINE Pack packOfBfloat16(const Words& w) {
  Pack p;
  LO_UNROLL for (int k = 0; k < kRegs; ++k) p.r[k] = WordReg::asFloat(w.r[k]);
  return p;
}
LO_INLINE Words bfloat16Words(const Pack& p) {
  Words w;
  LO_UNROLL for (int k = 0; k < kRegs; ++k) w.r[k] = WordReg::asWord(p.r[k]);
  return w;
}
LO_INLINE Pack packOfFixed(const Words& w, float range) {
  const Reg::V unit = Reg::set(range * 0x1p-31f);
  Pack p;
  LO_UNROLL for (int k = 0; k < kRegs; ++k) p.r[k] = Reg::mul(WordReg::toFloat(w.r[k]), unit);
  return p;
}
LO_INLINE Words fixedWords(const Pack& p, float range) {
  const Reg::V scale = Reg::set(0x1p31f / range), largest = Reg::set(kLargestFixedWord);
  Words w;
  LO_UNROLL for (int k = 0; k < kRegs; ++k) w.r[k] = WordReg::toInteger(Reg::min(Reg::mul(p.r[k], scale), largest));
  return w;
}

}  // namespace LO_ISA_NAMESPACE
}  // namespace lo
