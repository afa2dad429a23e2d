// The kernel that puts a tensor into its initial state.
#pragma once

#include "layout.h"
#include "runtime.h"

namespace lo::cuda {

// The initial state of one tensor, up to the end of its last tile, which exports copy whole. `rates` is null or [length].
template <class Storage>
__global__ void __launch_bounds__(kThreads) fillState(DynamicShape shape, const float* initialHidden, const float* rates, float rate,
                                                      float hiddenRange, std::uint32_t* state, std::uint64_t length) {
  const int words = Storage::words(shape);
  Coordinates<float, DynamicShape> c = {};
  for (int j = 0; j < shape.hidden(); ++j) c.hidden[j] = initialHidden[j];
  for (int s = 0; s < shape.timescales(); ++s) c.momentum[s] = c.scale[s] = 0.0f;
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * kThreads;
  const std::uint64_t end = tilesFor(length) * kTile;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * kThreads + threadIdx.x; i < end; i += stride) {
    c.logRate = rates != nullptr && i < length ? rates[i] : rate;
    Storage::storeNearest(shape, state + wordOf(i, words), hiddenRange, c);
  }
}

}  // namespace lo::cuda
