// Sums over the threads of a block, in an order that is always the same: no atomics.
#pragma once

#include "layout.h"
#include "runtime.h"

namespace lo::cuda {

constexpr int kRoundedSums = (kMaxSums + 31) / 32 * 32;

// Sums of 32 values over the 32 lanes of a warp with 31 shuffles: in each round a lane hands over the half of its values that the
// lane opposite goes on with. Lane k ends up with the sum of value k.
template <int Half>
__device__ LO_INLINE float transposedSum(float (&value)[32], unsigned lane) {
  const bool upper = (lane & static_cast<unsigned>(Half)) != 0;
  LO_UNROLL for (int i = 0; i < Half; ++i) {
    const float keep = upper ? value[i + Half] : value[i];
    const float give = upper ? value[i] : value[i + Half];
    value[i] = keep + __shfl_xor_sync(0xffffffffu, give, Half);
  }
  if constexpr (Half > 1) return transposedSum<Half / 2>(value, lane);
  return value[0];
}

// Sums `count` values over the block into out[0 … count). `warpSums` is in shared memory; the caller's other use of it ends
// with a barrier before, and this ends with one.
template <int Max>
__device__ LO_INLINE void blockSums(const float* values, int count, float (*warpSums)[kRoundedSums], float* out) {
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  LO_UNROLL for (int first = 0; first < Max; first += 32) {
    if (first >= count) break;
    float chunk[32];
    LO_UNROLL for (int i = 0; i < 32; ++i) chunk[i] = first + i < Max && first + i < count ? values[first + i] : 0.0f;
    warpSums[warp][static_cast<unsigned>(first) + lane] = transposedSum<16>(chunk, lane);
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(kThreads)) {
    float sum = 0;
    for (unsigned w = 0; w < kWarps; ++w) sum += warpSums[w][i];
    out[i] = sum;
  }
  __syncthreads();
}

// The sum of one value over the block, for every thread. `scratch` is [kThreads] of shared memory.
template <class T>
__device__ LO_INLINE T blockSum(T value, T* scratch) {
  scratch[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) scratch[threadIdx.x] = scratch[threadIdx.x] + scratch[threadIdx.x + half];
    __syncthreads();
  }
  const T sum = scratch[0];
  __syncthreads();
  return sum;
}

}  // namespace lo::cuda
