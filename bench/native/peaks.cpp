#include "bench/native/peaks.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define PEAK_TARGET(features) __attribute__((target(features)))
#else
#define PEAK_TARGET(features)
#endif

// Enough independent sums to hide the latency of a multiply-add, few enough for the registers of every instruction set.
constexpr int kChains = 12;
constexpr int kRounds = 4096;

#if defined(__GNUC__)
template <int Bytes>
struct VectorOf {
  typedef float type __attribute__((vector_size(Bytes)));
};
#endif

// The body of a measurement; the compiler makes multiply-adds of it where the target has them (contraction is on here).
#define PEAK_BODY(V)                                                   \
  V sums[kChains];                                                     \
  for (int c = 0; c < kChains; ++c) sums[c] = V{} + static_cast<float>(c); \
  V factor = V{} + 0.999f, term = V{} + 0.001f;                        \
  for (int r = 0; r < kRounds; ++r) {                                  \
    _Pragma("GCC unroll 12") for (int c = 0; c < kChains; ++c) sums[c] = sums[c] * factor + term; \
  }                                                                    \
  V all = sums[0];                                                     \
  for (int c = 1; c < kChains; ++c) all += sums[c];                    \
  return all[0];

#if defined(__GNUC__) && defined(__x86_64__)
PEAK_TARGET("avx512f,fma") float chainsAvx512() { using V = VectorOf<64>::type; PEAK_BODY(V) }
PEAK_TARGET("avx2,fma") float chainsAvx2() { using V = VectorOf<32>::type; PEAK_BODY(V) }
#endif
#if defined(__GNUC__)
float chains128() { using V = VectorOf<16>::type; PEAK_BODY(V) }
#else
float chains128() {
  float sums[kChains] = {};
  for (int r = 0; r < kRounds; ++r) {
    for (int c = 0; c < kChains; ++c) sums[c] = sums[c] * 0.999f + 0.001f;
  }
  float all = 0;
  for (float s : sums) all += s;
  return all;
}
#endif

volatile float sink;

// Seconds of the fastest of some runs of `body(thread)` by all threads at once.
double fastest(unsigned threads, int runs, const std::function<void(unsigned)>& body) {
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    const auto started = Clock::now();
    std::vector<std::thread> others;
    for (unsigned t = 1; t < threads; ++t) others.emplace_back(body, t);
    body(0);
    for (std::thread& other : others) other.join();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - started).count());
  }
  return best;
}

}  // namespace

Peaks::Peaks(const std::string& isa, const std::vector<unsigned>& threadCounts) {
  float (*chains)() = &chains128;
#if defined(__GNUC__)
  double lanes = 4;
#else
  double lanes = 1;
#endif
#if defined(__GNUC__) && defined(__x86_64__)
  if (isa == "avx512") {
    chains = &chainsAvx512;
    lanes = 16;
  } else if (isa == "avx2") {
    chains = &chainsAvx2;
    lanes = 8;
  }
#else
  (void)isa;
#endif
  constexpr int repeats = 2000;
  // 256 MiB, more than the caches of any machine this is likely to run on.
  std::vector<float> memory(std::size_t{64} << 20, 1.0f);
  for (const unsigned threads : threadCounts) {
    const double seconds = fastest(threads, 5, [&](unsigned) {
      float sum = 0;
      for (int i = 0; i < repeats; ++i) sum += chains();
      sink = sum;
    });
    multiplyAdds_[threads] = lanes * kChains * kRounds * repeats * threads / seconds / 1e9;
    const double update = fastest(threads, 5, [&](unsigned t) {
      float* const begin = memory.data() + memory.size() / threads * t;
      float* const end = begin + memory.size() / threads;
      for (float* p = begin; p < end; ++p) *p = *p + 1.0f;
    });
    bytes_[threads] = 8.0 * static_cast<double>(memory.size()) / update / 1e9;
  }
}
