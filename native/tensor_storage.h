// Memory of one tensor's state, in blocks of 16 coordinates: in T, or in 16 bits per field (compact_state.h).
#pragma once

#include <cstddef>
#include <vector>

#include "aligned_buffer.h"
#include "compact_state.h"
#include "config.h"

namespace lo {

// Coordinates per chunk. Fixed, so that sums are formed in the same order whatever the number of threads. A chunk's
// state (about 150 KiB) fits a second-level cache.
constexpr std::size_t kChunk = 2048;

// Canonical state of one tensor, [coordinate][field]; `position` is null or [length].
template <class T>
struct TensorStateView {
  T* hidden;    // [length][hidden]
  T* momentum;  // [length][timescales]
  T* scale;     // [length][timescales]
  T* logRate;   // [length]
  T* position;
};

// How state is kept.
struct StateFormat {
  bool compact = false;
  float hiddenRange = 1;  // of the compact format: a power of two, above every hidden value
};

// 16 bits only for T = float.
template <class T>
class TensorStorage {
 public:
  TensorStorage() = default;
  // Not initialised. Throws std::bad_alloc.
  TensorStorage(std::size_t length, const Config& config, const StateFormat& format);

  // The initial state. `logRates` is null or [length].
  void fill(const std::vector<T>& initialHidden, const T* logRates, T logRate);
  // The canonical state; `position` is left alone.
  void read(const TensorStateView<T>& out) const;
  // Values that the format lacks become the nearest it has.
  void write(const TensorStateView<const T>& in);
  // Ση, formed exactly as the kernels form it (lane sums per chunk in T, then in double), so that a state that was exported
  // and imported goes on with the same bits.
  double logRateSum() const;
  std::size_t bytes() const { return blocks_.bytes() + compact_.bytes(); }

  // For the kernels: the state from coordinate `begin` on, the first of a chunk. One of the two is null.
  T* blocksFrom(std::size_t begin);
  CompactBlocks compactFrom(std::size_t begin, std::uint32_t seed);

 private:
  T logRate(std::size_t i) const;
  void setLogRate(std::size_t i, T value);

  std::size_t length_ = 0;
  std::size_t hidden_ = 0, timescales_ = 0, fields_ = 0, compactBlock_ = 0;
  StateFormat format_;
  AlignedBuffer<T> blocks_;               // [⌈length/16⌉][fields][16]
  AlignedBuffer<std::uint16_t> compact_;  // [⌈length/16⌉][compactBlockSize]
};

extern template class TensorStorage<float>;
extern template class TensorStorage<double>;

}  // namespace lo
