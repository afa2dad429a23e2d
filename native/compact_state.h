// State in 16 bits per field: formats, layout and rounding, one value at a time. vec_words.h has the same for packs.
//
// A value becomes a 32-bit word of which the upper half is kept:
// - ḡ and λ: bfloat16, the upper half of a float's bits, so the whole range of floats.
// - hidden: fixed point in [-range, range), 2^-15 of the range apart: its values lie in a known interval, where this is finer
//   than bfloat16 for all but the smallest.
// - η is no 16-bit field: it moves by less than 2^-9 of itself per step, and the steps of every coordinate depend on it.
//
// Adding a uniform draw of 16 bits before the lower half is cut off rounds to one of the two neighbours so that the mean is
// the value (stochastic rounding). Rounding to the nearest would not do: the averages ḡ and λ change by less than half a
// spacing in most steps, and would stand still.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config.h"
#include "math.h"

namespace lo {

// Where the 16-bit state of a chunk lies; `blocks` is null where state is in the kernels' number type.
//
// A block of 16 coordinates is [fields without η][16] halves, then [16] floats: η. Coordinate j of a row and coordinate j + 8
// are the lower and the upper half of its 32-bit word j, so that registers are merged without a permutation.
struct CompactBlocks {
  std::uint16_t* blocks = nullptr;
  float hiddenRange = 1;         // a power of two
  std::uint32_t firstIndex = 0;  // of the chunk's first coordinate in its tensor, modulo 2^32
  std::uint32_t seed = 0;        // roundingSeed
};

// Halves per block of 16 coordinates: a float counts as two.
LO_INLINE std::size_t compactBlockSize(const Config& config) {
  return 16 * static_cast<std::size_t>(config.fields() + 1);
}
// Position of a coordinate of the block in a row.
LO_HD LO_INLINE constexpr std::size_t compactSlot(std::size_t lane) { return 2 * (lane % 8) + lane / 8; }

// λ of an advanced coordinate is at least the smallest normal number: 0 would say that it has never been advanced.
constexpr float kSmallestScale = 1.17549435e-38f;
// The least power of two that is above every hidden value: they are averages of the initial ones and of values in (-1, 1).
template <class T>
float rangeOfHidden(const T* initial, std::size_t count) {
  float range = 1;
  for (std::size_t i = 0; i < count; ++i) {
    while (fabsf(static_cast<float>(initial[i])) > range) range *= 2;
  }
  return range;
}
// Largest word of a fixed-point value to which any draw can be added.
constexpr float kLargestFixedWord = 2147418112.0f;

// ---- draws: a function of step, coordinate and field alone, so the same on every machine and for every number of threads ----

// What the draws of a step begin with.
LO_INLINE std::uint32_t roundingSeed(std::uint64_t iteration) {
  std::uint64_t z = (iteration + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<std::uint32_t>(z >> 32 ^ z);
}

constexpr std::uint32_t kDrawStride = 0x9e3779b1u;
constexpr std::uint32_t kDrawMix1 = 0x7feb352du, kDrawMix2 = 0x846ca68bu;
constexpr std::uint32_t kDrawNext = 0x915f77f5u;

// A coordinate's first two draws, as the halves of a word (the mixing of lowbias32).
LO_HD LO_INLINE std::uint32_t firstDraws(std::uint32_t index, std::uint32_t seed) {
  std::uint32_t x = index * kDrawStride + seed;
  x = (x ^ x >> 16) * kDrawMix1;
  x = (x ^ x >> 15) * kDrawMix2;
  return x ^ x >> 16;
}
// The next two: a bijection of words, so they are uniform as well.
LO_HD LO_INLINE std::uint32_t nextDraws(std::uint32_t draws) { return draws * kDrawNext; }

// ---- formats ----

LO_HD LO_INLINE std::uint16_t roundedBy(std::uint32_t word, std::uint32_t draw) {
  return static_cast<std::uint16_t>((word + draw) >> 16);
}
constexpr std::uint32_t kNearest = 0x8000;

LO_HD LO_INLINE float fromBfloat16(std::uint16_t half) { return bitsToFloat(static_cast<std::uint32_t>(half) << 16); }
// The nearest; beyond the largest, the largest. `x` is no NaN.
LO_HD LO_INLINE std::uint16_t toBfloat16(float x) {
  const std::uint32_t bits = floatToBits(x), sign = bits & 0x80000000u;
  const std::uint32_t magnitude = bits ^ sign, largest = 0x7f7f0000u;
  return roundedBy((magnitude < largest ? magnitude : largest) | sign, kNearest);
}
// The same for λ, where only 0 is 0.
LO_HD LO_INLINE std::uint16_t toScaleBfloat16(float x) {
  return toBfloat16(x > 0.0f && x < kSmallestScale ? kSmallestScale : x);
}

LO_HD LO_INLINE float fromFixed(std::uint16_t half, float range) {
  const std::uint32_t word = static_cast<std::uint32_t>(half) << 16;
  return static_cast<float>(static_cast<std::int32_t>(word)) * (range * 0x1p-31f);
}
LO_HD LO_INLINE std::uint32_t fixedWord(float x, float range) {
  const float scaled = max_(min_(x * (0x1p31f / range), kLargestFixedWord), -0x1p31f);
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(round_(scaled)));
}
// The nearest; beyond the range, the end of it. `x` is no NaN.
LO_HD LO_INLINE std::uint16_t toFixed(float x, float range) { return roundedBy(fixedWord(x, range), kNearest); }

}  // namespace lo
