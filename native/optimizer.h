// State of the parameter level for a changing set of tensors, and the two halves of a step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "aligned_buffer.h"
#include "kernels.h"
#include "tensor_storage.h"
#include "thread_pool.h"

namespace lo {

// Meta-parameters of the parameter level, row-major; sizes follow from `config` (see Cell in config.h).
struct CellWeights {
  Config config;
  std::vector<double> gates, candidate, initialHidden;
  std::vector<double> updateReadout, updateShortcut, attentionReadout, attentionShortcut;
  std::vector<double> scaleDecayReadout, inputDecayReadout, rateReadout;
  double scaleDecayBias = 0, inputDecayBias = 0, rateBias = 0, rateMomentum = 0, stepOffset = 0;
};

// What the first half of a step needs. Arrays of length `count`.
template <class T>
struct AdvanceRequest {
  std::size_t count;
  const int* tensors;        // handles, none twice
  const T* const* gradients;
  const double* biases;      // [count][3·hidden]
  double clipNorm;           // infinity: no clipping
  std::uint64_t iteration = 0;  // steps done before: what compact state is rounded by is drawn from it
};

struct AdvanceReport {
  double gradientNorm;  // NaN without clipping
  std::size_t skipped;  // coordinates whose gradient is not finite
};

// Not thread-safe: one caller at a time. Arguments are checked by the caller; allocation failures throw std::bad_alloc
// and leave the optimizer as it was.
template <class T>
class Optimizer {
 public:
  // `compactState`: state in 16 bits per field (compact_state.h), for T = float.
  Optimizer(const CellWeights& weights, const Kernels<T>* kernels, unsigned threads, bool compactState = false);

  const Config& config() const { return config_; }
  unsigned threads() const { return threads_; }

  int addTensor(std::size_t length, T logRate);
  int addTensor(std::size_t length, const T* logRates);
  void removeTensor(int handle);
  bool hasTensor(int handle) const;
  std::size_t lengthOf(int handle) const { return tensors_[static_cast<std::size_t>(handle)]->length; }
  bool hasPosition(int handle) const { return tensors_[static_cast<std::size_t>(handle)]->hasPosition; }
  void resetPosition(int handle) { tensors_[static_cast<std::size_t>(handle)]->hasPosition = false; }

  // First half: advances all state and keeps the raw steps. `means` is [count][hidden + inputs], `advanced` [count].
  AdvanceReport advance(const AdvanceRequest<T>& request, double* means, double* advanced);
  // Second half, after `advance` with the same tensors: writes the parameters. A null parameter is left out.
  void apply(T* const* parameters, double multiplier, double weightDecay);

  void exportTensor(int handle, const TensorStateView<T>& out) const;
  /// θ of a tensor with attention after its first step, [length]; null otherwise.
  const T* position(int handle) const;
  void importTensor(int handle, const TensorStateView<const T>& in);

  std::size_t bytes() const;

 private:
  struct Tensor {
    std::size_t length = 0;
    TensorStorage<T> state;
    AlignedBuffer<T> position;  // θ, with attention
    bool hasPosition = false;
    double logRateSum = 0;
  };
  struct Chunk {
    std::size_t tensor;  // index in the plan
    std::size_t begin;
    std::size_t count;
  };

  int insert(std::unique_ptr<Tensor> tensor);
  std::unique_ptr<Tensor> makeTensor(std::size_t length) const;
  void plan(const int* tensors, std::size_t count);
  double gradientNorm();
  void reduce(double* means, double* advanced, AdvanceReport& report);
  template <class F>
  void forEachTask(F&& body);

  Config config_;
  StateFormat format_;
  const Kernels<T>* kernels_;
  unsigned threads_;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<T> cellStorage_;
  std::vector<T> foldedStorage_;
  std::vector<T> initialHidden_;
  Cell<T> cell_{};
  std::vector<std::unique_ptr<Tensor>> tensors_;  // by handle; null once removed

  // The plan of a step: made anew when the list of tensors changes, reused otherwise.
  std::vector<int> planned_;
  std::vector<Chunk> chunks_;
  std::vector<std::size_t> firstChunk_;  // [count + 1]
  std::vector<std::size_t> tasks_;       // first chunk of each task, plus the end
  std::vector<std::size_t> rawOffset_;   // [count]
  std::size_t plannedCoordinates_ = 0;
  AlignedBuffer<T> raw_, rawAttention_;
  std::vector<double> chunkMeans_;
  std::vector<ChunkSums> chunkSums_;
  std::vector<double> chunkNorms_;
  std::vector<T> biases_;
  std::vector<T> meanLogRates_;
  std::vector<double> rms_, rmsAttention_;
  std::vector<const T*> gradients_;
};

extern template class Optimizer<float>;
extern template class Optimizer<double>;

}  // namespace lo
