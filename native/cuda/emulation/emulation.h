// Stands for CUDA where kernels are compiled as plain C++: the words of the language, and the part of the runtime that this
// library uses, over host memory. The threads of a block are fibers that change places at __syncthreads and at shuffles, so
// that what one block computes is what a device would compute, whatever the order its threads run in. Blocks run one after
// the other. For tests; nothing here is fast.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __grid_constant__
#define __launch_bounds__(...)

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
// Allocations, and copies to and from the device, since the start.
extern std::size_t allocations, copies;
extern std::size_t launches;

void launchBlocks(std::size_t grid, unsigned threads, void (*body)(const void*), const void* context);
// Calls body() once for every thread.
template <class Body>
void launch(std::size_t grid, unsigned threads, void* /* stream */, const Body& body) {
  launchBlocks(grid, threads, [](const void* p) { (*static_cast<const Body*>(p))(); }, &body);
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

enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2, cudaErrorNoDevice = 100 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
using cudaStream_t = void*;
using cudaEvent_t = void*;
constexpr unsigned cudaEventDisableTiming = 2;
struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
  std::size_t totalGlobalMem;
};
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount };

inline const char* cudaGetErrorString(cudaError_t e) {
  return e == cudaErrorMemoryAllocation ? "out of memory" : "error of the emulation";
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  if (bytes > lo::emulation::memoryLeft) return cudaErrorMemoryAllocation;
  *p = std::malloc(bytes);
  ++lo::emulation::allocations;
  return *p == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
inline cudaError_t cudaFree(void* p) {
  std::free(p);
  return cudaSuccess;
}
inline cudaError_t cudaMallocHost(void** p, std::size_t bytes) { return cudaMalloc(p, bytes); }
inline cudaError_t cudaFreeHost(void* p) { return cudaFree(p); }
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  ++lo::emulation::copies;
  if (bytes != 0) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) {
  *e = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaGetDevice(int* d) {
  *d = 0;
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceCount(int* n) {
  *n = 1;
  return cudaSuccess;
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
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  std::memset(p, 0, sizeof *p);
  std::strcpy(p->name, "emulation");
  return cudaSuccess;
}
// Few, so that a block works through several segments.
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 1;
  return cudaSuccess;
}
template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel, int, std::size_t) {
  *blocks = 3;
  return cudaSuccess;
}
