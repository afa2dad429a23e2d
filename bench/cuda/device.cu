#include "device.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace bench {

namespace {

__device__ std::uint32_t mixed(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}
// In (-1, 1).
__device__ float number(std::uint32_t seed, std::size_t i) {
  const std::uint32_t bits = mixed(mixed(static_cast<std::uint32_t>(i) + seed) ^ static_cast<std::uint32_t>(i >> 32));
  return (static_cast<float>(bits >> 8) + 0.5f) * (2.0f / 16777216.0f) - 1.0f;
}

__global__ void fill(float* out, std::size_t n, std::uint32_t seed, float magnitude, bool sizes) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    float v = magnitude * number(seed, i);
    if (sizes) v *= exp2f(6.6f * (number(seed + 77u, i) - 1.0f));
    out[i] = v;
  }
}

__global__ void copyWords(const float4* from, float4* to, std::size_t n) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) to[i] = from[i];
}

unsigned blocks() {
  int device = 0, count = 0;
  checkCuda(cudaGetDevice(&device), "cudaGetDevice");
  checkCuda(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), "cudaDeviceGetAttribute");
  return static_cast<unsigned>(8 * count);
}

void startFill(float* out, std::size_t n, std::uint32_t seed, float magnitude, bool sizes) {
  fill<<<blocks(), 256>>>(out, n, seed, magnitude, sizes);
  checkCuda(cudaGetLastError(), "filling");
}

cudaEvent_t event(void* e) { return static_cast<cudaEvent_t>(e); }

}  // namespace

void checkCuda(int error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(static_cast<cudaError_t>(error)));
}

DeviceArray::DeviceArray(std::size_t floats) {
  void* p = nullptr;
  checkCuda(cudaMalloc(&p, floats * sizeof(float)), "cudaMalloc");
  data_ = static_cast<float*>(p);
}
DeviceArray::~DeviceArray() { cudaFree(data_); }
DeviceArray::DeviceArray(DeviceArray&& other) noexcept { std::swap(data_, other.data_); }
DeviceArray& DeviceArray::operator=(DeviceArray&& other) noexcept {
  std::swap(data_, other.data_);
  return *this;
}
std::vector<float> DeviceArray::get(std::size_t first, std::size_t n) const {
  std::vector<float> v(n);
  checkCuda(cudaMemcpy(v.data(), data_ + first, n * sizeof(float), cudaMemcpyDeviceToHost), "cudaMemcpy");
  return v;
}

void fillGradient(float* out, std::size_t n, std::uint32_t seed, float magnitude) { startFill(out, n, seed, magnitude, true); }
void fillUniform(float* out, std::size_t n, std::uint32_t seed, float magnitude) { startFill(out, n, seed, magnitude, false); }

std::size_t freeMemory() {
  std::size_t free = 0, total = 0;
  checkCuda(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return free;
}
void synchronize() { checkCuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }

Stopwatch::Stopwatch() {
  cudaEvent_t begin, end;
  checkCuda(cudaEventCreate(&begin), "cudaEventCreate");
  checkCuda(cudaEventCreate(&end), "cudaEventCreate");
  begin_ = begin;
  end_ = end;
}
Stopwatch::~Stopwatch() {
  cudaEventDestroy(event(begin_));
  cudaEventDestroy(event(end_));
}
void Stopwatch::start() { checkCuda(cudaEventRecord(event(begin_), nullptr), "cudaEventRecord"); }
double Stopwatch::stop() {
  checkCuda(cudaEventRecord(event(end_), nullptr), "cudaEventRecord");
  checkCuda(cudaEventSynchronize(event(end_)), "cudaEventSynchronize");
  float milliseconds = 0;
  checkCuda(cudaEventElapsedTime(&milliseconds, event(begin_), event(end_)), "cudaEventElapsedTime");
  return static_cast<double>(milliseconds) * 1e6;
}

Statistics statisticsOf(std::vector<double> v) {
  const auto median = [](std::vector<double>& x) {
    std::sort(x.begin(), x.end());
    return x.size() % 2 == 1 ? x[x.size() / 2] : (x[x.size() / 2 - 1] + x[x.size() / 2]) / 2;
  };
  const double middle = median(v);
  for (double& x : v) x = std::fabs(x - middle);
  return {middle, median(v)};
}

CopyBandwidth measureCopies(std::size_t bytes, int rounds) {
  const std::size_t words = bytes / 2 / sizeof(float4);
  const DeviceArray from(4 * words), to(4 * words);
  fillUniform(from.data(), 4 * words, 1, 1);
  const float4* const source = reinterpret_cast<const float4*>(from.data());
  float4* const target = reinterpret_cast<float4*>(to.data());
  const double moved = 2.0 * static_cast<double>(words * sizeof(float4));
  Stopwatch watch;
  std::vector<double> times[2];
  for (int round = -1; round < rounds; ++round) {
    for (int way = 0; way < 2; ++way) {
      constexpr int kTimes = 4;
      watch.start();
      for (int i = 0; i < kTimes; ++i) {
        if (way == 0) {
          checkCuda(cudaMemcpyAsync(target, source, words * sizeof(float4), cudaMemcpyDeviceToDevice, nullptr), "cudaMemcpy");
        } else {
          copyWords<<<blocks(), 256>>>(source, target, words);
        }
      }
      checkCuda(cudaGetLastError(), "copying");
      const double time = watch.stop() / kTimes;
      if (round >= 0) times[way].push_back(time);
    }
  }
  return {bytes, moved / statisticsOf(times[0]).median, moved / statisticsOf(times[1]).median};
}

std::string describeDeviceAsJson() {
  int device = 0, driver = 0, runtime = 0, clock = 0, memoryClock = 0, bus = 0, l2 = 0;
  cudaDeviceProp p;
  checkCuda(cudaGetDevice(&device), "cudaGetDevice");
  checkCuda(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties");
  checkCuda(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  checkCuda(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, device);
  cudaDeviceGetAttribute(&memoryClock, cudaDevAttrMemoryClockRate, device);
  cudaDeviceGetAttribute(&bus, cudaDevAttrGlobalMemoryBusWidth, device);
  cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device);
  const auto version = [](int v) { return "\"" + std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10) + "\""; };
  return "\"name\": \"" + std::string(p.name) + "\", \"computeCapability\": \"" + std::to_string(p.major) + "." +
         std::to_string(p.minor) + "\", \"multiprocessors\": " + std::to_string(p.multiProcessorCount) +
         ", \"memoryBytes\": " + std::to_string(p.totalGlobalMem) + ", \"l2Bytes\": " + std::to_string(l2) +
         ", \"clockKHz\": " + std::to_string(clock) + ", \"memoryClockKHz\": " + std::to_string(memoryClock) +
         ", \"memoryBusBits\": " + std::to_string(bus) + ", \"driverForCuda\": " + version(driver) + ", \"cuda\": " + version(runtime);
}

}  // namespace bench
