// All levels of the optimizer with their state on a CUDA device (docs/cuda.md).
#pragma once

#include <memory>
#include <vector>

#include "device_memory.h"
#include "host_buffers.h"
#include "layout.h"
#include "level_memory.h"

namespace lo::cuda {

// Throws Failure and std::bad_alloc; arguments are checked by the caller (lo_cuda.cu). One caller at a time.
class DeviceOptimizer {
 public:
  DeviceOptimizer(const lo_cuda_architecture& architecture, const lo_cuda_weights& weights, int device);
  ~DeviceOptimizer();
  DeviceOptimizer(const DeviceOptimizer&) = delete;

  int add(std::uint64_t length, const float* logRates, float logRate);
  void remove(int handle);
  bool has(int handle) const;
  void step(const lo_cuda_step_request& request, cudaStream_t stream);
  // The same with gradients and parameters on the host (host_step.cu).
  lo_cuda_step_report stepHost(const lo_cuda_step_request& request);
  lo_cuda_step_report report();

  void exportTensor(int handle, const lo_cuda_state& out);
  void importTensor(int handle, const lo_cuda_state& in);
  void exportGlobal(float* out);
  void importGlobal(const float* in);
  bool hasPosition(int handle) const { return tensor(handle).hasPosition; }
  void exportPosition(int handle, float* out);
  void resetPosition(int handle) { tensor(handle).hasPosition = false; }

  bool hasGlobal() const { return architecture_.levels > 2; }
  bool hasAttention() const { return config_.attention(); }
  std::uint64_t bytes() const;
  // Makes the optimizer's device the current one of this thread.
  void enter() const;

 private:
  struct Tensor {
    std::uint64_t length;
    DeviceMemory memory;
    std::uint32_t* state;
    float* position;
    float* level;
    double* logRateSum;
    bool hasPosition = false;
    bool rateKnown = false;  // Ση is on the device
  };
  // Uploads of what changes between steps wait in one of these until the device has read them.
  struct Staging {
    PinnedMemory memory;
    Event read;
  };
  static constexpr int kStagings = 4;

  Tensor& tensor(int handle) const { return *tensors_[static_cast<std::size_t>(handle)]; }
  int words() const;
  void uploadWeights(const lo_cuda_weights& w);
  void loadKernels() const;
  void plan(const int* tensors, std::size_t count, cudaStream_t stream);
  void uploadPointers(const float* const* gradients, float* const* parameters, cudaStream_t stream);
  void waitForSteps();
  HostBuffers& hostBuffers(const lo_cuda_step_request& request);
  void exchangeWithHost(HostBuffers& host, const lo_cuda_step_request& request);

  // The kernels of a step in their order; those that take tables do the segments of their range.
  void startSums(cudaStream_t stream);
  void startNorms(const StepTables& range, cudaStream_t stream);
  void startPreparation(double clipNorm, cudaStream_t stream);
  void startAdvance(const StepTables& range, std::uint64_t iteration, cudaStream_t stream);
  void startLevels(cudaStream_t stream);
  void startApply(const StepTables& range, const lo_cuda_step_request& request, cudaStream_t stream);
  void endStep(const lo_cuda_step_request& request, cudaStream_t stream);
  // Blocks for so many items: as many as the device runs at once.
  template <class Kernel>
  std::size_t gridFor(Kernel kernel, std::size_t items) const {
    int blocks = 1;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, static_cast<int>(kThreads), 0),
          "asking for a kernel's occupancy");
    const std::size_t resident = static_cast<std::size_t>(blocks < 1 ? 1 : blocks) * static_cast<std::size_t>(multiprocessors_);
    return items < 1 ? 1 : items < resident ? items : resident;
  }
  template <class Storage>
  void sumRates(cudaStream_t stream);
  // Calls body(shape) with the architecture, in constants where it is one of those that are compiled in.
  template <class Body>
  void withShape(Body&& body) const;
  template <class Shape, class Storage>
  void launchAdvance(const Shape& shape, const StepTables& range, std::uint32_t seed, cudaStream_t stream);
  template <class Storage, class Body>
  void forChunks(const Tensor& t, bool write, Body&& body);

  lo_cuda_architecture architecture_;
  Config config_;
  DynamicShape shape_;
  int device_ = 0, multiprocessors_ = 1;
  float hiddenRange_ = 1;
  std::vector<float> cellFloats_, initialHidden_;
  std::vector<float> tensorInitial_;
  Cell<float> hostCell_{}, deviceCell_{};
  DeviceMemory weights_;
  const float* deviceInitialHidden_ = nullptr;
  LevelMemory levels_{};
  StepResults* results_ = nullptr;
  std::vector<std::unique_ptr<Tensor>> tensors_;

  // The tables of a step: made anew when the list of tensors changes, reused otherwise.
  std::vector<int> planned_;
  std::uint64_t plans_ = 0;  // how many were made
  std::vector<std::size_t> offsets_;  // of every tensor's coordinates where those of all lie in a row, and the end
  DeviceMemory arena_;
  StepTables tables_{};
  std::vector<TensorPointers> pointers_;  // as last uploaded
  Staging stagings_[kStagings];
  int nextStaging_ = 0;
  Event stepDone_;
  bool clipped_ = false;
  std::unique_ptr<HostBuffers> host_;
};

}  // namespace lo::cuda
