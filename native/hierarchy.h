// All levels of the optimizer: the parameter level of every tensor (optimizer.h) and those above it (levels.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "levels.h"
#include "optimizer.h"

namespace lo {

// Not thread-safe: one caller at a time. Arguments are checked by the caller; allocation failures throw std::bad_alloc and
// leave everything as it was. Steps of the same tensors allocate nothing after the first.
template <class T>
class Hierarchy {
 public:
  Hierarchy(const CellWeights& cell, LevelWeights levels, const Kernels<T>* kernels, unsigned threads,
            bool compactState = false)
      : parameters_(cell, kernels, threads, compactState),
        levels_(std::move(levels), kernels, threads, cell.config.hidden + cell.config.inputs()) {}

  Optimizer<T>& parameters() { return parameters_; }
  const Optimizer<T>& parameters() const { return parameters_; }
  Levels<T>& levels() { return levels_; }

  // `rate` is η: one number, or a pointer to one per coordinate.
  template <class Rate>
  int addTensor(std::size_t length, Rate rate) {
    const int handle = parameters_.addTensor(length, rate);
    try {
      levels_.add(handle);
    } catch (...) {
      parameters_.removeTensor(handle);
      throw;
    }
    return handle;
  }
  void removeTensor(int handle) {
    parameters_.removeTensor(handle);
    levels_.remove(handle);
  }

  // First half of a step: advances the state of all levels. The second is `parameters().apply`.
  // `iteration`: steps done before (AdvanceRequest).
  AdvanceReport advance(const int* tensors, std::size_t count, const T* const* gradients, double clipNorm,
                        std::uint64_t iteration = 0) {
    const Config& config = parameters_.config();
    means_.resize(count * static_cast<std::size_t>(config.hidden + config.inputs()));
    advanced_.resize(count);
    levels_.reserve(tensors, count);
    const AdvanceRequest<T> request{count, tensors, gradients, levels_.biases(), clipNorm, iteration};
    const AdvanceReport report = parameters_.advance(request, means_.data(), advanced_.data());
    levels_.advance(means_.data(), advanced_.data());
    return report;
  }

  std::size_t bytes() const { return parameters_.bytes() + levels_.bytes(); }

 private:
  Optimizer<T> parameters_;
  Levels<T> levels_;
  std::vector<double> means_, advanced_;
};

}  // namespace lo
