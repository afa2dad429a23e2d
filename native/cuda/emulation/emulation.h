// Stands for CUDA where kernels are compiled as plain C++: the words of the language, and the part of the runtime that this
// library uses, over host memory. The threads of a block are fibers that change places at __syncthreads and at shuffles, so
// that what one block computes is what a device would compute, whatever the order its threads run in. Blocks run one after
// the other. What is put into a stream is done at once or, when work is deferred, as late as what the host waits for allows,
// so that a missing wait shows in the result; copies of pageable memory too, which CUDA may do after the call. For tests;
// nothing here is fast.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __grid_constant__
#define __launch_bounds__(...)

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidDeviceFunction = 98,
  cudaErrorNoDevice = 100,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorUnsupportedPtxVersion = 222,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700
};

namespace lo::emulation {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};
extern Index threadIndex, blockIndex, gridSize, blockSize;

// Order in which the threads of a block run between two meeting points. A result that depends on it lacks a barrier.
enum class Order { ascending, descending, shuffled };
extern Order order;
// What cudaMalloc has left to give, for tests of what happens without memory.
extern std::size_t memoryLeft;
// What cudaEventCreate has left to give.
extern std::size_t eventsLeft;
// Whether there is code for the device, and whether kernels start; if not, it is for want of memory.
extern bool hasCode, launchesSucceed;
// Allocations, and copies to and from the device, since the start.
extern std::size_t allocations, copies;
extern std::size_t launches;
// How many devices there are, and the current one.
extern int devices, device;
// Takes from the environment what is set there (settings.cpp): the tests of Node have no other way in.
void readSettings();

void launchBlocks(std::size_t grid, unsigned threads, const std::function<void()>& body);

// ---- streams (streams.cpp) ----

// Whether work waits until the host waits for it.
extern bool deferred;
// Every call fails, as with a context that is lost.
extern bool lost;

struct Event;
void put(void* stream, std::function<void()> work);
bool isIdle(void* stream);
void drain(void* stream);
void drainAll();
Event* createEvent();
void destroyEvent(Event* event);
void recordEvent(Event* event, void* stream);
bool isReached(const Event* event);
void reach(Event* event);
void waitInStream(void* stream, Event* event);
void* createStream();
void destroyStream(void* stream);
void copy(void* to, const void* from, std::size_t bytes, void* stream);

// What cudaGetLastError has to tell, once.
inline thread_local cudaError_t lastError = cudaSuccess;
inline cudaError_t failed(cudaError_t error) { return lastError = error; }
inline cudaError_t status() { return lost ? failed(cudaErrorIllegalAddress) : cudaSuccess; }
// What is done unless the device is lost.
template <class Body>
cudaError_t done(Body&& body) {
  if (!lost) body();
  return status();
}

// Calls body() once for every thread.
template <class Body>
void launch(std::size_t grid, unsigned threads, void* stream, const Body& body) {
  if (!launchesSucceed) {
    failed(cudaErrorMemoryAllocation);
    return;
  }
  put(stream, [=] { launchBlocks(grid, threads, body); });
}

void meetBlock();
// Every thread of the warp hands over a word and receives that of lane (own lane xor mask).
std::uint32_t exchange(std::uint32_t word, unsigned mask);

}  // namespace lo::emulation

#define threadIdx (::lo::emulation::threadIndex)
#define blockIdx (::lo::emulation::blockIndex)
#define gridDim (::lo::emulation::gridSize)
#define blockDim (::lo::emulation::blockSize)

inline void __syncthreads() { lo::emulation::meetBlock(); }
inline float __shfl_xor_sync(unsigned, float value, int mask) {
  std::uint32_t word;
  std::memcpy(&word, &value, 4);
  word = lo::emulation::exchange(word, static_cast<unsigned>(mask));
  std::memcpy(&value, &word, 4);
  return value;
}

// ---- the runtime ----

enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
using cudaStream_t = void*;
using cudaEvent_t = ::lo::emulation::Event*;
constexpr unsigned cudaEventDisableTiming = 2, cudaStreamNonBlocking = 1;
struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
  std::size_t totalGlobalMem;
};
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount };
struct cudaFuncAttributes {
  int numRegs;
};

inline const char* cudaGetErrorString(cudaError_t e) {
  if (e == cudaErrorMemoryAllocation) return "out of memory";
  if (e == cudaErrorNoDevice) return "no CUDA-capable device is detected";
  if (e == cudaErrorNoKernelImageForDevice) return "no kernel image is available for execution on the device";
  if (e == cudaErrorNotReady) return "device not ready";
  return e == cudaErrorIllegalAddress ? "an illegal memory access was encountered" : "error of the emulation";
}
inline cudaError_t cudaGetLastError() {
  const cudaError_t error = lo::emulation::lastError;
  lo::emulation::lastError = cudaSuccess;
  return lo::emulation::lost ? cudaErrorIllegalAddress : error;
}
inline cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  if (lo::emulation::lost) return cudaErrorIllegalAddress;
  if (bytes > lo::emulation::memoryLeft) return lo::emulation::failed(cudaErrorMemoryAllocation);
  *p = std::malloc(bytes);
  ++lo::emulation::allocations;
  return *p == nullptr ? lo::emulation::failed(cudaErrorMemoryAllocation) : cudaSuccess;
}
// Succeeds on a lost device where there is nothing to free.
inline cudaError_t cudaFree(void* p) {
  if (p == nullptr) return cudaSuccess;
  return lo::emulation::done([=] {
    lo::emulation::drainAll();
    std::free(p);
  });
}
inline cudaError_t cudaMallocHost(void** p, std::size_t bytes) { return cudaMalloc(p, bytes); }
inline cudaError_t cudaFreeHost(void* p) { return cudaFree(p); }
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  return lo::emulation::done([=] { lo::emulation::copy(to, from, bytes, stream); });
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  *s = lo::emulation::createStream();
  return lo::emulation::status();
}
inline cudaError_t cudaStreamDestroy(cudaStream_t s) {
  lo::emulation::destroyStream(s);
  return lo::emulation::status();
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t s) {
  return lo::emulation::done([=] { lo::emulation::drain(s); });
}
inline cudaError_t cudaStreamQuery(cudaStream_t s) {
  if (lo::emulation::lost) return lo::emulation::status();
  return lo::emulation::isIdle(s) ? cudaSuccess : lo::emulation::failed(cudaErrorNotReady);
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) {
  return lo::emulation::done([=] { lo::emulation::waitInStream(s, e); });
}
inline cudaError_t cudaDeviceSynchronize() {
  return lo::emulation::done([] { lo::emulation::drainAll(); });
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) {
  if (lo::emulation::eventsLeft == 0) return lo::emulation::failed(cudaErrorMemoryAllocation);
  --lo::emulation::eventsLeft;
  *e = lo::emulation::createEvent();
  return lo::emulation::status();
}
inline cudaError_t cudaEventDestroy(cudaEvent_t e) {
  lo::emulation::destroyEvent(e);
  return lo::emulation::status();
}
inline cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  return lo::emulation::done([=] { lo::emulation::recordEvent(e, s); });
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  return lo::emulation::done([=] { lo::emulation::reach(e); });
}
inline cudaError_t cudaEventQuery(cudaEvent_t e) {
  if (lo::emulation::lost) return lo::emulation::status();
  return lo::emulation::isReached(e) ? cudaSuccess : lo::emulation::failed(cudaErrorNotReady);
}
inline cudaError_t cudaSetDevice(int d) {
  lo::emulation::readSettings();
  lo::emulation::device = d;
  return lo::emulation::status();
}
inline cudaError_t cudaGetDevice(int* d) {
  *d = lo::emulation::device;
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceCount(int* n) {
  lo::emulation::readSettings();
  *n = lo::emulation::devices;
  return *n == 0 ? cudaErrorNoDevice : cudaSuccess;
}
inline cudaError_t cudaDriverGetVersion(int* v) {
  *v = 0;
  return cudaSuccess;
}
inline cudaError_t cudaRuntimeGetVersion(int* v) {
  *v = 0;
  return cudaSuccess;
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = *total = lo::emulation::memoryLeft;
  return lo::emulation::status();
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  std::memset(p, 0, sizeof *p);
  std::strcpy(p->name, "emulation");
  return lo::emulation::status();
}
// Few, so that a block works through several segments.
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 1;
  return lo::emulation::status();
}
template <class Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Kernel) {
  *attributes = {};
  return lo::emulation::hasCode ? lo::emulation::status() : lo::emulation::failed(cudaErrorNoKernelImageForDevice);
}
template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel, int, std::size_t) {
  *blocks = 3;
  return lo::emulation::status();
}
