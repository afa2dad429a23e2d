// Times the native step alone, one variant or all, beside what the machine can do at most (see usage below).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "bench/native/peaks.h"
#include "native/dispatch.h"
#include "native/optimizer.h"

namespace {

using Clock = std::chrono::steady_clock;

// Small deterministic numbers in (−1, 1); their values do not matter to the time, only that they are ordinary.
class Numbers {
 public:
  double next() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<double>(static_cast<std::int64_t>(state_)) / 9223372036854775808.0;
  }
  std::vector<double> list(std::size_t n, double scale) {
    std::vector<double> v(n);
    for (double& x : v) x = scale * next();
    return v;
  }

 private:
  std::uint64_t state_ = 1;
};

struct Variant {
  const char* name;
  int hidden, timescales;
  unsigned flags;
};
constexpr unsigned kPaperInputs = lo::kGradientProducts | lo::kRelativeLogMagnitude | lo::kRelativeLearningRate;
constexpr Variant kVariants[] = {
    {"paper", 10, 4, kPaperInputs},
    {"default", 6, 4, kPaperInputs | lo::kAbsoluteLearningRate},
    {"algebraic", 6, 4, kPaperInputs | lo::kAbsoluteLearningRate | lo::kAlgebraicActivations},
};

// Multiply-adds of the matrix products and heads, without the two inputs that depend on others (advance_stages.inl).
double multiplyAdds(const lo::Config& c) {
  const bool bothRates = (c.flags & lo::kRelativeLearningRate) && (c.flags & lo::kAbsoluteLearningRate);
  const int inputs = c.inputs() - ((c.flags & lo::kRelativeLogMagnitude) ? 1 : 0) - (bothRates ? 1 : 0);
  return 3.0 * c.hidden * (inputs + c.hidden) + 4.0 * c.hidden + c.timescales;
}
// State read and written, gradient read, raw step written and read, parameter read and written.
double bytesMoved(const lo::Config& c, bool compact) {
  const double state = compact ? 2.0 * (c.fields() - 1) + 4 : 4.0 * c.fields();
  return 2 * state + 4.0 * (1 + 2 + 2);
}

// Weights of the size that meta-training starts from.
lo::CellWeights makeWeights(const Variant& variant) {
  Numbers numbers;
  lo::CellWeights w;
  w.config.hidden = variant.hidden;
  w.config.timescales = variant.timescales;
  w.config.flags = variant.flags;
  const std::size_t H = static_cast<std::size_t>(w.config.hidden), S = static_cast<std::size_t>(w.config.timescales);
  const std::size_t rows = static_cast<std::size_t>(w.config.inputs()) + H;
  w.gates = numbers.list(rows * 2 * H, 0.1);
  w.candidate = numbers.list(rows * H, 0.1);
  w.initialHidden = numbers.list(H, 0.5);
  w.updateReadout = numbers.list(H, 0.2);
  w.updateShortcut = numbers.list(S, 0.2);
  w.attentionReadout.assign(H, 0.0);
  w.attentionShortcut.assign(S, 0.0);
  w.scaleDecayReadout = numbers.list(H, 0.2);
  w.inputDecayReadout = numbers.list(H, 0.2);
  w.rateReadout = numbers.list(H, 0.01);
  w.scaleDecayBias = 3.2;
  w.inputDecayBias = 2.2;
  w.rateMomentum = 0.96;
  w.stepOffset = -1;
  return w;
}

// One optimizer with all that its steps need.
class Run {
 public:
  Run(const Variant& variant, const lo::Kernels<float>* kernels, unsigned threads, std::size_t parameters,
      std::size_t tensors, bool compact)
      : optimizer_(makeWeights(variant), kernels, threads, compact) {
    Numbers numbers;
    const std::size_t H = static_cast<std::size_t>(optimizer_.config().hidden);
    for (std::size_t t = 0; t < tensors; ++t) {
      const std::size_t length = parameters * (t + 1) / tensors - parameters * t / tensors;
      handles_.push_back(optimizer_.addTensor(length, -6.9f));
      values_.emplace_back(length, 0.1f);
      gradients_.emplace_back(length);
      for (float& g : gradients_.back()) g = static_cast<float>(0.01 * numbers.next());
    }
    for (auto& v : values_) valuePointers_.push_back(v.data());
    for (const auto& g : gradients_) gradientPointers_.push_back(g.data());
    biases_ = numbers.list(tensors * 3 * H, 0.5);
    means_.resize(tensors * (H + static_cast<std::size_t>(optimizer_.config().inputs())));
    advanced_.resize(tensors);
  }

  void step() {
    const lo::AdvanceRequest<float> request{handles_.size(), handles_.data(), gradientPointers_.data(), biases_.data(),
                                            HUGE_VAL, iteration_++};
    optimizer_.advance(request, means_.data(), advanced_.data());
    optimizer_.apply(valuePointers_.data(), 1, 0);
  }

  const lo::Config& config() const { return optimizer_.config(); }
  std::size_t bytes() const { return optimizer_.bytes(); }

  // All finite, and every tensor has moved.
  bool plausible() const {
    for (const auto& tensor : values_) {
      if (!std::all_of(tensor.begin(), tensor.end(), [](float v) { return std::isfinite(v); })) return false;
      if (std::all_of(tensor.begin(), tensor.end(), [](float v) { return v == 0.1f; })) return false;
    }
    return true;
  }

 private:
  lo::Optimizer<float> optimizer_;
  std::vector<int> handles_;
  std::vector<std::vector<float>> values_, gradients_;
  std::vector<float*> valuePointers_;
  std::vector<const float*> gradientPointers_;
  std::vector<double> biases_, means_, advanced_;
  std::uint64_t iteration_ = 0;
};

// Processor time of all threads instead of the time of day.
bool byProcessorTime = false;

double secondsOf(Run& run, int steps) {
  const auto started = Clock::now();
  const std::clock_t used = std::clock();
  for (int i = 0; i < steps; ++i) run.step();
  if (byProcessorTime) return static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC / steps;
  return std::chrono::duration<double>(Clock::now() - started).count() / steps;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.size() % 2 == 1 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

struct Case {
  Variant variant;
  const lo::Kernels<float>* kernels;
  unsigned threads;
  std::size_t parameters, tensors;
};

// State in 32 and in 16 bits, in turns, so that what else the machine does meets both. Prints a line for each; false if a
// result cannot be right.
bool measure(const Case& c, const Peaks& peaks, int rounds) {
  Run runs[] = {{c.variant, c.kernels, c.threads, c.parameters, c.tensors, false},
                {c.variant, c.kernels, c.threads, c.parameters, c.tensors, true}};
  std::vector<double> times[2], ratios;
  int steps = 1;
  for (Run& run : runs) steps = std::max(steps, static_cast<int>(0.02 / secondsOf(run, 3)));
  for (Run& run : runs) secondsOf(run, steps);
  for (int i = 0; i < rounds; ++i) {
    for (int k = 0; k < 2; ++k) {
      times[k].push_back(secondsOf(runs[k], steps) / static_cast<double>(c.parameters) * 1e9);
    }
    ratios.push_back(times[1].back() / times[0].back());
  }
  bool right = true;
  for (int k = 0; k < 2; ++k) {
    const double middle = median(times[k]);
    std::vector<double> distances;
    for (const double t : times[k]) distances.push_back(std::fabs(t - middle));
    const double adds = multiplyAdds(runs[k].config()), bytes = bytesMoved(runs[k].config(), k == 1);
    std::printf("%-9s %-9s %4d %7u %11zu %7zu %8.2f ± %-5.2f %7.2f %5.0f %6.0f %% %6.0f %6.0f %% %6.0f", c.variant.name,
                c.kernels->isa, k == 0 ? 32 : 16, c.threads, c.parameters, c.tensors, middle, median(distances),
                *std::min_element(times[k].begin(), times[k].end()), adds,
                100 * adds / middle / peaks.multiplyAdds(c.threads), bytes, 100 * bytes / middle / peaks.bytes(c.threads),
                static_cast<double>(runs[k].bytes()) / static_cast<double>(c.parameters));
    if (k == 1) std::printf("  %.3f", median(ratios));
    const bool plausible = runs[k].plausible();
    std::printf("%s\n", plausible ? "" : "  WRONG RESULT");
    right = right && plausible;
  }
  std::fflush(stdout);
  return right;
}

constexpr const char* kUsage =
    "usage: step_bench [options]\n\n"
    "Nanoseconds per parameter of one native step (both passes, no Node), float32.\n\n"
    "  --variant <name>     architecture: paper, default or algebraic (default: all)\n"
    "  --isa <name>         instruction set, as listed (default: all of this machine)\n"
    "  --parameters <n>     number of parameters (default: 1000 to 4000000; 1000 is in cache, 4000000 streams)\n"
    "  --tensors <n>        over which they are spread evenly (default: 1, and 300 from 100000 on)\n"
    "  --threads <n>        (default: 1, and all usable ones)\n"
    "  --quick              3 rounds instead of 9, and two sizes\n"
    "  --cpu-time           processor time of all threads, for a machine that is busy with other things\n\n"
    "State in 32 and in 16 bits, in turns. Columns: median over the rounds of at least 20 ms each, its median absolute deviation, the best round;\n"
    "multiply-adds of the matrix products and heads per parameter, and their share of the peak; bytes to and from\n"
    "memory per parameter, and their share of the bandwidth (a share of the cache's where all fits there, so it may\n"
    "exceed 100 %); bytes of state and scratch per parameter; with 16 bits the median ratio to 32. Peaks are measured before the first row.\n";

// The value of an option, or null; `argv` is walked through.
const char* valueOf(const char* option, int argc, char** argv, int& i) {
  if (std::strcmp(argv[i], option) != 0 || i + 1 >= argc) return nullptr;
  return argv[++i];
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  std::string variant, isa;
  std::size_t parameters = 0, tensors = 0;
  unsigned threads = 0;
  for (int i = 1; i < argc; ++i) {
    const char* value = nullptr;
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
    } else if (std::strcmp(argv[i], "--cpu-time") == 0) {
      byProcessorTime = true;
    } else if ((value = valueOf("--variant", argc, argv, i)) != nullptr) {
      variant = value;
    } else if ((value = valueOf("--isa", argc, argv, i)) != nullptr) {
      isa = value;
    } else if ((value = valueOf("--parameters", argc, argv, i)) != nullptr) {
      parameters = std::strtoul(value, nullptr, 10);
    } else if ((value = valueOf("--tensors", argc, argv, i)) != nullptr) {
      tensors = std::strtoul(value, nullptr, 10);
    } else if ((value = valueOf("--threads", argc, argv, i)) != nullptr) {
      threads = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
    } else {
      const bool help = std::strcmp(argv[i], "--help") == 0;
      std::fputs(kUsage, help ? stdout : stderr);
      return help ? 0 : 2;
    }
  }
  std::vector<std::size_t> sizes = {1000, 2410, 4096, 8192, 16384, 100000, 1000000, 4000000};
  if (quick) sizes = {1000, 100000};
  if (parameters > 0) sizes = {parameters};
  std::vector<unsigned> threadCounts = {1};
  if (lo::ThreadPool::usableThreads() > 1) threadCounts.push_back(lo::ThreadPool::usableThreads());
  if (threads > 0) threadCounts = {threads};

  bool right = true, any = false;
  for (const lo::Kernels<float>* kernels : lo::availableKernels()) {
    if (!isa.empty() && isa != kernels->isa) continue;
    const Peaks peaks(kernels->isa, threadCounts);
    for (const unsigned t : threadCounts) {
      std::printf("%s, %u thread%s: at most %.1f multiply-adds and %.1f bytes per nanosecond\n", kernels->isa, t,
                  t == 1 ? "" : "s", peaks.multiplyAdds(t), peaks.bytes(t));
    }
    std::printf("%-9s %-9s %4s %7s %11s %7s %16s %7s %5s %8s %6s %8s %6s  %s\n", "variant", "isa", "bits", "threads",
                "parameters", "tensors", "ns/param ± MAD", "best", "madd", "of peak", "bytes", "of peak", "state", "ratio");
    for (const Variant& v : kVariants) {
      if (!variant.empty() && variant != v.name) continue;
      for (const std::size_t size : sizes) {
        for (const std::size_t count : tensors > 0 ? std::vector<std::size_t>{tensors} : std::vector<std::size_t>{1, 300}) {
          if (tensors == 0 && count > 1 && size < 100000) continue;
          for (const unsigned t : threadCounts) {
            any = true;
            right = measure({v, kernels, t, size, count}, peaks, quick ? 3 : 9) && right;
          }
        }
      }
    }
  }
  if (!any) {
    std::fputs("step_bench: no such variant or instruction set here\n\n", stderr);
    std::fputs(kUsage, stderr);
    return 2;
  }
  return right ? 0 : 1;
}
