// Device and pinned memory that frees itself, and failures as exceptions, which the C interface turns into statuses.
#pragma once

#include <string>
#include <utility>

#include "lo_cuda.h"
#include "runtime.h"

namespace lo::cuda {

struct Failure {
  lo_cuda_status status;
  std::string text;
};

// Whether the current context is lost: everything that asks the device fails from then on. (Freeing nothing asks it nothing.)
inline bool isLost() {
  const cudaError_t state = cudaStreamQuery(nullptr);
  cudaGetLastError();
  return state != cudaSuccess && state != cudaErrorNotReady;
}

inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // errors of a call must not surface at a later one
  const std::string text = std::string(what) + ": " + cudaGetErrorString(error);
  switch (error) {
    case cudaErrorMemoryAllocation:
      throw Failure{LO_CUDA_OUT_OF_MEMORY, text};
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorUnsupportedPtxVersion:
      throw Failure{LO_CUDA_UNAVAILABLE, "this library has no code for the device: " + text};
    default:
      throw Failure{isLost() ? LO_CUDA_LOST : LO_CUDA_FAILED, text};
  }
}

template <cudaError_t (*Allocate)(void**, std::size_t), cudaError_t (*Free)(void*)>
class Memory {
 public:
  Memory() = default;
  explicit Memory(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    const std::string what = "allocating " + std::to_string(bytes) + " bytes";
    check(Allocate(&data_, bytes), what.c_str());
  }
  ~Memory() {
    if (data_ != nullptr) Free(data_);
  }
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    swap(other);
    return *this;
  }
  std::size_t bytes() const { return bytes_; }
  template <class T = char>
  T* at(std::size_t offset = 0) const {
    return reinterpret_cast<T*>(static_cast<char*>(data_) + offset);
  }

 private:
  void swap(Memory& other) {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

inline cudaError_t allocateDevice(void** p, std::size_t n) { return cudaMalloc(p, n); }
inline cudaError_t freeDevice(void* p) { return cudaFree(p); }
inline cudaError_t allocatePinned(void** p, std::size_t n) { return cudaMallocHost(p, n); }
inline cudaError_t freePinned(void* p) { return cudaFreeHost(p); }
using DeviceMemory = Memory<&allocateDevice, &freeDevice>;
using PinnedMemory = Memory<&allocatePinned, &freePinned>;

// A point in a stream that the host can wait for. Until it is recorded there is nothing to wait for.
class Event {
 public:
  Event() = default;
  ~Event() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  Event(const Event&) = delete;
  // In the current device.
  void create() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "creating an event"); }
  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "recording an event"); }
  void wait() { check(cudaEventSynchronize(event_), "waiting for the device"); }
  // Whether the stream has come to it.
  bool reached() {
    const cudaError_t error = cudaEventQuery(event_);
    if (error == cudaErrorNotReady) {
      cudaGetLastError();  // it is no failure of what is started next
      return false;
    }
    check(error, "asking the device how far it is");
    return true;
  }
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

// A stream that waits for none but those it is told to.
class Stream {
 public:
  Stream() = default;
  ~Stream() {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }
  Stream(const Stream&) = delete;
  // In the current device.
  void create() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream"); }
  // What is put into it from here on waits for the event.
  void waitFor(const Event& event) { check(cudaStreamWaitEvent(stream_, event.get(), 0), "waiting for an event"); }
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// Gives out pieces of one allocation, of which the size is counted first.
class Pieces {
 public:
  // Its offset; the next piece begins at a multiple of 256 bytes, as an allocation would.
  template <class T>
  std::size_t add(std::size_t count) {
    const std::size_t at = size_;
    size_ += (count * sizeof(T) + 255) / 256 * 256;
    return at;
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

inline void upload(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
  if (bytes != 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream), "copying to the device");
}
// Waits.
inline void download(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
  if (bytes != 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream), "copying from the device");
  check(cudaStreamSynchronize(stream), "waiting for the device");
}

}  // namespace lo::cuda
