// step_bench [--quick] [--paper] [--cpu-time]: nanoseconds per parameter of one native step (both passes, no Node), for every
// instruction set of this machine, one thread and all usable ones, in one tensor and in 300, with state in 32 and in 16 bits.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

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

// The architecture of the default preset, or that of the paper, with weights of the size that meta-training starts from.
lo::CellWeights makeWeights(bool paper) {
  Numbers numbers;
  lo::CellWeights w;
  if (!paper) {
    w.config.hidden = 6;
    w.config.flags |= lo::kAbsoluteLearningRate;
  }
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
  Run(const lo::Kernels<float>* kernels, unsigned threads, std::size_t parameters, std::size_t tensors, bool compact,
      bool paper)
      : optimizer_(makeWeights(paper), kernels, threads, compact) {
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

// State in 32 and in 16 bits, in turns, so that what else the machine does meets both. Prints a line for each; false if a
// result cannot be right.
bool measure(const lo::Kernels<float>* kernels, unsigned threads, std::size_t parameters, std::size_t tensors, int rounds,
             bool paper) {
  Run runs[] = {{kernels, threads, parameters, tensors, false, paper},
                {kernels, threads, parameters, tensors, true, paper}};
  std::vector<double> times[2], ratios;
  int steps = 1;
  for (Run& run : runs) steps = std::max(steps, static_cast<int>(0.02 / secondsOf(run, 3)));
  for (Run& run : runs) secondsOf(run, steps);
  for (int i = 0; i < rounds; ++i) {
    for (int k = 0; k < 2; ++k) times[k].push_back(secondsOf(runs[k], steps) / static_cast<double>(parameters) * 1e9);
    ratios.push_back(times[1].back() / times[0].back());
  }
  bool right = true;
  for (int k = 0; k < 2; ++k) {
    const double middle = median(times[k]);
    std::vector<double> distances;
    for (const double t : times[k]) distances.push_back(std::fabs(t - middle));
    const bool plausible = runs[k].plausible();
    std::printf("%-9s %7u %11zu %8zu %6d %11.1f %10.2f ± %-6.2f best %.2f", kernels->isa, threads, parameters, tensors,
                k == 0 ? 32 : 16, static_cast<double>(runs[k].bytes()) / static_cast<double>(parameters), middle,
                median(distances), *std::min_element(times[k].begin(), times[k].end()));
    if (k == 1) std::printf("  ratio %.3f", median(ratios));
    std::printf("%s\n", plausible ? "" : "  WRONG RESULT");
    right = right && plausible;
  }
  std::fflush(stdout);
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false, paper = false, help = false, known = true;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--quick") quick = true;
    else if (argument == "--paper") paper = true;
    else if (argument == "--cpu-time") byProcessorTime = true;
    else if (argument == "--help") help = true;
    else known = false;
  }
  if (help || !known) {
    std::fprintf(stderr,
                 "usage: step_bench [--quick] [--paper] [--cpu-time]\n\nNanoseconds per parameter of one native step: the median over 9 "
                 "rounds (--quick: 3) of at least\n20 ms, its median absolute deviation, and the best round, with state in "
                 "32 and in 16 bits; the ratio is\nthe median over the rounds. --paper: the architecture of the paper, 10 "
                 "hidden units, not that of the\ndefault preset. --cpu-time: processor time of all threads, for a machine that is "
                 "busy with other things.\nLEARNED_OPTIMIZER_ISA: this instruction set only.\n");
    return known ? 0 : 2;
  }
  const std::vector<std::size_t> sizes =
      quick ? std::vector<std::size_t>{1000, 100000}
            : std::vector<std::size_t>{1000, 2410, 4096, 8192, 16384, 100000, 1000000, 4000000};
  std::vector<unsigned> threadCounts = {1};
  if (lo::ThreadPool::usableThreads() > 1) threadCounts.push_back(lo::ThreadPool::usableThreads());
  std::printf("%-9s %7s %11s %8s %6s %11s %10s\n", "isa", "threads", "parameters", "tensors", "bits", "bytes/param",
              "ns/param");
  const char* only = std::getenv("LEARNED_OPTIMIZER_ISA");
  bool right = true;
  for (const lo::Kernels<float>* kernels : lo::availableKernels()) {
    if (only != nullptr && std::strcmp(only, kernels->isa) != 0) continue;
    for (const std::size_t size : sizes) {
      for (const std::size_t tensors : {std::size_t{1}, std::size_t{300}}) {
        if (tensors > 1 && size < 100000) continue;
        for (const unsigned threads : threadCounts) {
          right = measure(kernels, threads, size, tensors, quick ? 3 : 9, paper) && right;
        }
      }
    }
  }
  return right ? 0 : 1;
}
