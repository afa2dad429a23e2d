// How state, work and partial sums lie in device memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../compact_state.h"
#include "../param_step.h"

namespace lo::cuda {

// Coordinates of a tile: [word][32], so that a warp reads and writes one word of 32 coordinates in one transaction. Every
// tensor begins with a new tile.
constexpr unsigned kTile = 32;
constexpr unsigned kThreads = 128;
constexpr unsigned kWarps = kThreads / 32;
// Coordinates of one tensor that a block works through before it hands over their sums. Fixed, and the sums of a segment are
// formed in a fixed order, so the result does not depend on how many blocks the device runs at once.
constexpr unsigned kSegment = 1024;
// Segments of one tensor whose sums one block combines.
constexpr unsigned kSpan = 128;

// Sums over the coordinates of a segment, in the order [hidden | inputs | d² | d_a² | η | advanced].
constexpr int kMaxSums = kMaxHidden + kMaxInputs + 4;
LO_HD LO_INLINE constexpr int sumsOf(int hidden, int inputs) { return hidden + inputs + 4; }

struct Segment {
  std::uint32_t tensor;  // its place in the step
  std::uint32_t index;   // of the segment in its tensor
};

struct Span {
  std::uint32_t firstSegment;
  std::uint32_t count;
};

// A tensor's own memory, at its place in the step.
struct TensorMemory {
  std::uint32_t* state;  // tiles
  float* position;       // θ, with attention
  float* level;          // state of the tensor RNN
  double* logRateSum;
  float* raw;           // exp(η_step + o)·d of this step; NaN marks a skipped coordinate
  float* rawAttention;  // exp(η_step)·d_a
  std::uint64_t length;
  std::uint32_t firstSpan, spans;
};

// What may change from step to step.
struct TensorPointers {
  const float* gradient;
  float* parameter;             // null: left out
  std::uint32_t positionFresh;  // θ is to be taken from the parameter
};

// The step as the kernels see it.
struct StepTables {
  const Segment* segments;
  const Span* spans;
  const TensorMemory* tensors;
  const TensorPointers* pointers;
  // Kernels over segments do those of this range: all, or what has arrived from the host (host_step.cu).
  std::uint32_t firstSegment, endSegment;
  std::uint32_t spanCount, tensorCount;
  double coordinates;      // of all tensors
  float* partialSums;      // [segment][sums]
  double* spanSums;        // [span][sums]
  double* segmentNorms;    // [segment]: Σ g²
  float* biases;           // [tensor][3·hidden]
  float* meanLogRates;     // [tensor]
  double* factors;         // [tensor][2]: 1/rms of d and of d_a
  double* advanced;        // [tensor]
};

struct StepResults {
  double gradientNorm;
  double gradientScale;  // what gradients are multiplied by
  unsigned long long skipped;
};

// ---- the state of a coordinate as words; `at` is that of its first word, the others follow at distances of kTile ----

struct FloatState {
  template <class Shape>
  LO_HD LO_INLINE static constexpr int words(const Shape& s) {
    return s.hidden() + 2 * s.timescales() + 1;
  }
  template <class Shape>
  LO_HD LO_INLINE static void load(const Shape& s, const std::uint32_t* at, float, Coordinates<float, Shape>& c) {
    const int H = s.hidden(), S = s.timescales();
    LO_UNROLL for (int j = 0; j < H; ++j) c.hidden[j] = bitsToFloat(at[j * kTile]);
    LO_UNROLL for (int t = 0; t < S; ++t) c.momentum[t] = bitsToFloat(at[(H + t) * kTile]);
    LO_UNROLL for (int t = 0; t < S; ++t) c.scale[t] = bitsToFloat(at[(H + S + t) * kTile]);
    c.logRate = bitsToFloat(at[(H + 2 * S) * kTile]);
  }
  template <class Shape>
  LO_HD LO_INLINE static void store(const Shape& s, std::uint32_t* at, float, std::uint32_t, std::uint32_t,
                                    const Coordinates<float, Shape>& c) {
    const int H = s.hidden(), S = s.timescales();
    LO_UNROLL for (int j = 0; j < H; ++j) at[j * kTile] = floatToBits(c.hidden[j]);
    LO_UNROLL for (int t = 0; t < S; ++t) at[(H + t) * kTile] = floatToBits(c.momentum[t]);
    LO_UNROLL for (int t = 0; t < S; ++t) at[(H + S + t) * kTile] = floatToBits(c.scale[t]);
    at[(H + 2 * S) * kTile] = floatToBits(c.logRate);
  }
  // Without rounding by draws: the initial state, and what is imported.
  template <class Shape>
  LO_HD LO_INLINE static void storeNearest(const Shape& s, std::uint32_t* at, float range,
                                           const Coordinates<float, Shape>& c) {
    store(s, at, range, 0, 0, c);
  }
};

// compact_state.h, two fields to a word as they share a draw: [ḡ_s | λ_s], then [hidden | hidden], then η.
struct CompactState {
  template <class Shape>
  LO_HD LO_INLINE static constexpr int words(const Shape& s) {
    return s.timescales() + (s.hidden() + 1) / 2 + 1;
  }
  template <class Shape>
  LO_HD LO_INLINE static void load(const Shape& s, const std::uint32_t* at, float range, Coordinates<float, Shape>& c) {
    const int H = s.hidden(), S = s.timescales();
    LO_UNROLL for (int t = 0; t < S; ++t) {
      const std::uint32_t word = at[t * kTile];
      c.momentum[t] = bitsToFloat(word << 16);
      c.scale[t] = bitsToFloat(word & 0xffff0000u);
    }
    LO_UNROLL for (int j = 0; j < H; j += 2) {
      const std::uint32_t word = at[(S + j / 2) * kTile];
      c.hidden[j] = fromFixed(static_cast<std::uint16_t>(word), range);
      if (j + 1 < H) c.hidden[j + 1] = fromFixed(static_cast<std::uint16_t>(word >> 16), range);
    }
    c.logRate = bitsToFloat(at[(S + (H + 1) / 2) * kTile]);
  }
  // The draws are those of the CPU (compact_kernels.inl).
  template <class Shape>
  LO_HD LO_INLINE static void store(const Shape& s, std::uint32_t* at, float range, std::uint32_t index,
                                    std::uint32_t seed, const Coordinates<float, Shape>& c) {
    const int H = s.hidden(), S = s.timescales();
    std::uint32_t draws = firstDraws(index, seed);
    LO_UNROLL for (int t = 0; t < S; ++t) {
      at[t * kTile] = halves(floatToBits(c.momentum[t]), floatToBits(max_(c.scale[t], kSmallestScale)), draws);
      draws = nextDraws(draws);
    }
    LO_UNROLL for (int j = 0; j < H; j += 2) {
      const std::uint32_t second = j + 1 < H ? fixedWord(c.hidden[j + 1], range) : 0;
      at[(S + j / 2) * kTile] = halves(fixedWord(c.hidden[j], range), second, draws);
      draws = nextDraws(draws);
    }
    at[(S + (H + 1) / 2) * kTile] = floatToBits(c.logRate);
  }
  template <class Shape>
  LO_HD LO_INLINE static void storeNearest(const Shape& s, std::uint32_t* at, float range,
                                           const Coordinates<float, Shape>& c) {
    const int H = s.hidden(), S = s.timescales();
    for (int t = 0; t < S; ++t) at[t * kTile] = pair(toBfloat16(c.momentum[t]), toScaleBfloat16(c.scale[t]));
    for (int j = 0; j < H; j += 2) {
      at[(S + j / 2) * kTile] = pair(toFixed(c.hidden[j], range), j + 1 < H ? toFixed(c.hidden[j + 1], range) : 0);
    }
    at[(S + (H + 1) / 2) * kTile] = floatToBits(c.logRate);
  }

 private:
  LO_HD LO_INLINE static std::uint32_t pair(std::uint32_t low, std::uint32_t high) { return low | high << 16; }
  LO_HD LO_INLINE static std::uint32_t halves(std::uint32_t low, std::uint32_t high, std::uint32_t draws) {
    return pair(roundedBy(low, draws & 0xffffu), roundedBy(high, draws >> 16));
  }
};

// The first word of coordinate i.
LO_HD LO_INLINE std::size_t wordOf(std::uint64_t i, int words) {
  return static_cast<std::size_t>(i / kTile * static_cast<std::uint64_t>(words) * kTile + i % kTile);
}
LO_HD LO_INLINE std::uint64_t tilesFor(std::uint64_t length) { return (length + kTile - 1) / kTile; }

}  // namespace lo::cuda
