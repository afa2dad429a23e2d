// What the benchmark itself does on the device: numbers to work on, copies to compare with, and time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

// Throws std::runtime_error with CUDA's text.
void checkCuda(int error, const char* what);

// Device memory.
class DeviceArray {
 public:
  DeviceArray() = default;
  explicit DeviceArray(std::size_t floats);
  ~DeviceArray();
  DeviceArray(DeviceArray&& other) noexcept;
  DeviceArray& operator=(DeviceArray&& other) noexcept;
  float* data() const { return data_; }
  // n floats from `first` on.
  std::vector<float> get(std::size_t first, std::size_t n) const;

 private:
  float* data_ = nullptr;
};

// Numbers of either sign whose size differs between coordinates by factors of up to 10^4, as in real networks; a function of
// seed and index alone.
void fillGradient(float* out, std::size_t n, std::uint32_t seed, float magnitude);
void fillUniform(float* out, std::size_t n, std::uint32_t seed, float magnitude);

std::size_t freeMemory();
void synchronize();

// Time between two points of the default stream.
class Stopwatch {
 public:
  Stopwatch();
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  void start();
  // Waits; nanoseconds since start.
  double stop();

 private:
  void *begin_ = nullptr, *end_ = nullptr;
};

struct Statistics {
  double median, spread;  // spread: median absolute deviation
};
Statistics statisticsOf(std::vector<double> values);

// Bytes read and written per nanosecond by copies from one half of so many bytes to the other: by cudaMemcpy, and by a kernel
// of 16-byte loads and stores.
struct CopyBandwidth {
  std::size_t bytes;
  double memcpy, kernel;
  double best() const { return memcpy > kernel ? memcpy : kernel; }
};
CopyBandwidth measureCopies(std::size_t bytes, int rounds);

// Name, driver, clocks and so on as members of a JSON object.
std::string describeDeviceAsJson();

}  // namespace bench
