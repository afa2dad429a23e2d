// What the tests share: random architectures and weights, and an optimizer with its tensors in plain vectors.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "../optimizer.h"

namespace lo::test {

// Instrumented and emulated runs do less of everything.
#if defined(LO_TEST_QUICK)
constexpr bool kQuick = true;
#else
constexpr bool kQuick = false;
#endif

bool isKnownIsa(const std::string& name);
// Restricts `testedKernels` to one instruction set (empty: all). False if it is not available.
bool selectIsa(const std::string& name);
const std::vector<const Kernels<float>*>& testedKernels();
// Every float kernel that runs here, the portable one included.
const std::vector<const Kernels<float>*>& everyKernel();
// The kernels of vec.h without a vector unit, compiled into the tests only; null where this is not possible.
const Kernels<float>* portableKernels();

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits();
  double uniform();  // [0, 1)
  double normal();
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(uniform() * static_cast<double>(n)); }

 private:
  std::uint64_t state_;
};

// All values are floats, so that the float and the double optimizer compute with the same meta-parameters.
CellWeights randomWeights(const Config& config, std::uint64_t seed);

constexpr unsigned kPaperInputs = kGradientProducts | kRelativeLogMagnitude | kRelativeLearningRate;
Config makeConfig(int hidden, int timescales, unsigned flags);
// That of the preset that ships.
Config presetConfig();
std::string describe(const Config& config);

// Normal values times a magnitude that differs between coordinates by factors of up to 1e6, as in real networks.
std::vector<float> randomGradient(std::size_t length, Random& random, double magnitude = 1e-2);
std::vector<float> randomValues(std::size_t length, Random& random);

template <class T>
struct State {
  std::vector<T> hidden, momentum, scale, logRate, position;
};

struct StepOptions {
  double clipNorm = std::numeric_limits<double>::infinity();
  double multiplier = 1;
  double weightDecay = 0;
};

struct StepResult {
  AdvanceReport report;
  std::vector<double> means, advanced;
};

// An optimizer with tensors of the given lengths, all parameters 0 at first.
template <class T>
class Run {
 public:
  Run(const CellWeights& weights, const Kernels<T>* kernels, unsigned threads, const std::vector<std::size_t>& lengths,
      T logRate = T(-6), bool compactState = false)
      : optimizer(weights, kernels, threads, compactState) {
    for (const std::size_t length : lengths) {
      handles.push_back(optimizer.addTensor(length, logRate));
      parameters.emplace_back(length, T(0));
    }
    setBiases(0x5eed);
  }

  // Every tensor gets biases of its own, as the upper levels provide them.
  void setBiases(std::uint64_t seed) {
    Random random(seed);
    biases.clear();
    const std::size_t width = 3 * static_cast<std::size_t>(optimizer.config().hidden);
    for (std::size_t i = 0; i < handles.size() * width; ++i) {
      biases.push_back(static_cast<double>(static_cast<float>(0.5 * random.normal())));
    }
  }

  StepResult step(const std::vector<std::vector<T>>& gradients, const StepOptions& options = {}) {
    StepResult result = advance(gradients, options);
    apply(options);
    return result;
  }

  StepResult advance(const std::vector<std::vector<T>>& gradients, const StepOptions& options = {}) {
    const Config& config = optimizer.config();
    std::vector<const T*> views;
    for (const auto& gradient : gradients) views.push_back(gradient.data());
    StepResult result;
    result.means.assign(handles.size() * static_cast<std::size_t>(config.hidden + config.inputs()), -1);
    result.advanced.assign(handles.size(), -1);
    const AdvanceRequest<T> request{handles.size(), handles.data(), views.data(), biases.data(), options.clipNorm,
                                    iteration++};
    result.report = optimizer.advance(request, result.means.data(), result.advanced.data());
    return result;
  }

  void apply(const StepOptions& options = {}) {
    std::vector<T*> views;
    for (auto& parameter : parameters) views.push_back(parameter.data());
    optimizer.apply(views.data(), options.multiplier, options.weightDecay);
  }

  State<T> state(std::size_t t) const {
    const Config& config = optimizer.config();
    const std::size_t n = optimizer.lengthOf(handles[t]);
    State<T> s;
    s.hidden.resize(n * static_cast<std::size_t>(config.hidden));
    s.momentum.resize(n * static_cast<std::size_t>(config.timescales));
    s.scale.resize(s.momentum.size());
    s.logRate.resize(n);
    if (optimizer.hasPosition(handles[t])) s.position.resize(n);
    T* position = s.position.empty() ? nullptr : s.position.data();
    optimizer.exportTensor(handles[t], {s.hidden.data(), s.momentum.data(), s.scale.data(), s.logRate.data(), position});
    return s;
  }

  template <class U>
  void setState(std::size_t t, const State<U>& from) {
    const State<T> s{as(from.hidden), as(from.momentum), as(from.scale), as(from.logRate), as(from.position)};
    const T* position = s.position.empty() ? nullptr : s.position.data();
    optimizer.importTensor(handles[t],
                           {s.hidden.data(), s.momentum.data(), s.scale.data(), s.logRate.data(), position});
  }

  Optimizer<T> optimizer;
  std::vector<int> handles;
  std::vector<std::vector<T>> parameters;
  std::vector<double> biases;
  // Steps done; set it with the state of another run.
  std::uint64_t iteration = 0;

 private:
  template <class U>
  static std::vector<T> as(const std::vector<U>& v) {
    return std::vector<T>(v.begin(), v.end());
  }
};

#define CHECK_SAME_STATE(actual, expected)                    \
  do {                                                        \
    const auto& actual_ = (actual);                           \
    const auto& expected_ = (expected);                       \
    CHECK_SAME_BITS(actual_.hidden, expected_.hidden);        \
    CHECK_SAME_BITS(actual_.momentum, expected_.momentum);    \
    CHECK_SAME_BITS(actual_.scale, expected_.scale);          \
    CHECK_SAME_BITS(actual_.logRate, expected_.logRate);      \
    CHECK_SAME_BITS(actual_.position, expected_.position);    \
  } while (false)

template <class T>
bool allFinite(const std::vector<T>& values) {
  for (const T v : values) {
    if (!(v - v == T(0))) return false;
  }
  return true;
}

template <class T>
bool allFinite(const State<T>& s) {
  return allFinite(s.hidden) && allFinite(s.momentum) && allFinite(s.scale) && allFinite(s.logRate) &&
         allFinite(s.position);
}

}  // namespace lo::test
