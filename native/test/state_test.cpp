// State in and out: one canonical layout, whatever the instruction set; steps go on from an imported state as if never
// interrupted; tensors come and go.
#include <cmath>
#include <numeric>

#include "support.h"

namespace lo::test {

namespace {

const std::vector<std::size_t> kLengths = {1, 15, 16, 17, 100, 2049, 4500};

// State in which every value is different, so that a swapped field or coordinate shows.
State<float> numbered(std::size_t length, const Config& config) {
  float next = 1;
  const auto fill = [&next](std::size_t n) {
    std::vector<float> v(n);
    for (float& x : v) x = next++ / 1024;
    return v;
  };
  const std::size_t S = static_cast<std::size_t>(config.timescales);
  State<float> s;
  s.hidden = fill(length * static_cast<std::size_t>(config.hidden));
  s.momentum = fill(length * S);
  s.scale = fill(length * S);
  s.logRate = fill(length);
  if (config.attention()) s.position = fill(length);
  return s;
}

std::vector<std::vector<float>> gradientsFor(const std::vector<std::size_t>& lengths, Random& random) {
  std::vector<std::vector<float>> gradients;
  for (const std::size_t length : lengths) {
    gradients.push_back(randomGradient(length, random));
    if (length > 20) gradients.back()[length - 2] = INFINITY;
  }
  return gradients;
}

}  // namespace

TEST("exported state is the imported state, bit for bit, for every architecture") {
  for (const Kernels<float>* kernels : testedKernels()) {
    for (const int hidden : {1, 10, kMaxHidden}) {
      for (int timescales = 1; timescales <= kMaxTimescales; ++timescales) {
        const Config config = makeConfig(hidden, timescales, kPaperInputs | (hidden == 10 ? +kAttention : 0u));
        Run<float> run(randomWeights(config, 41), kernels, 1, {1, 16, 45});
        for (std::size_t t = 0; t < 3; ++t) {
          const State<float> state = numbered(run.parameters[t].size(), config);
          run.setState(t, state);
          CHECK_SAME_STATE(run.state(t), state);
        }
      }
    }
  }
}

TEST("state exported under one instruction set is unchanged by import and export under every other") {
  const CellWeights weights = randomWeights(makeConfig(10, 4, kPaperInputs | kAttention), 42);
  for (const Kernels<float>* from : testedKernels()) {
    Run<float> source(weights, from, 1, kLengths);
    Random random(42);
    for (int step = 0; step < 3; ++step) source.step(gradientsFor(kLengths, random));
    for (const Kernels<float>* to : everyKernel()) {
      Run<float> target(weights, to, 1, kLengths);
      for (std::size_t t = 0; t < kLengths.size(); ++t) {
        const State<float> state = source.state(t);
        target.setState(t, state);
        CHECK_SAME_STATE(target.state(t), state);
      }
    }
  }
}

TEST("steps from an imported state give the bits of an uninterrupted run") {
  for (const unsigned flags : {kPaperInputs, kPaperInputs | kTensorLearningRateMean | kAttention}) {
    const CellWeights weights = randomWeights(makeConfig(10, 4, flags), 43);
    for (const Kernels<float>* kernels : testedKernels()) {
      Run<float> original(weights, kernels, 2, kLengths), resumed(weights, kernels, 2, kLengths, 3.0f);
      Random random(43);
      for (int step = 0; step < 3; ++step) original.step(gradientsFor(kLengths, random));
      for (std::size_t t = 0; t < kLengths.size(); ++t) {
        resumed.setState(t, original.state(t));
        resumed.parameters[t] = original.parameters[t];
      }
      for (int step = 0; step < 3; ++step) {
        const auto gradients = gradientsFor(kLengths, random);
        CHECK_SAME_BITS(resumed.step(gradients).means, original.step(gradients).means);
      }
      for (std::size_t t = 0; t < kLengths.size(); ++t) {
        CHECK_SAME_BITS(resumed.parameters[t], original.parameters[t]);
        CHECK_SAME_STATE(resumed.state(t), original.state(t));
      }
    }
  }
}

TEST("new state holds the initial hidden state, zeros and the given learning rates") {
  const CellWeights weights = randomWeights(makeConfig(3, 2, kPaperInputs), 44);
  Optimizer<float> optimizer(weights, testedKernels().front(), 1);
  std::vector<float> rates(21);
  std::iota(rates.begin(), rates.end(), -10.0f);
  const int one = optimizer.addTensor(21, rates.data()), other = optimizer.addTensor(5, -7.0f);
  std::vector<float> hidden(63), momentum(42, 1), scale(42, 1), logRate(21);
  optimizer.exportTensor(one, {hidden.data(), momentum.data(), scale.data(), logRate.data(), nullptr});
  std::vector<float> expected;
  for (int i = 0; i < 21; ++i) {
    for (const double h : weights.initialHidden) expected.push_back(static_cast<float>(h));
  }
  CHECK_SAME_BITS(hidden, expected);
  CHECK_SAME_BITS(momentum, std::vector<float>(42, 0));
  CHECK_SAME_BITS(scale, std::vector<float>(42, 0));
  CHECK_SAME_BITS(logRate, rates);
  optimizer.exportTensor(other, {hidden.data(), momentum.data(), scale.data(), logRate.data(), nullptr});
  CHECK_SAME_BITS(std::vector<float>(logRate.begin(), logRate.begin() + 5), std::vector<float>(5, -7.0f));
}

TEST("a tensor that takes no part in a step keeps its state and does not count in the mean learning rate") {
  const CellWeights weights = randomWeights(makeConfig(10, 4, kPaperInputs), 45);
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> pair(weights, kernels, 1, {70, 3000}), alone(weights, kernels, 1, {70});
    Random random(45);
    pair.step({randomGradient(70, random), randomGradient(3000, random)});
    alone.setState(0, pair.state(0));
    const State<float> resting = pair.state(1);
    const std::vector<float> gradient = randomGradient(70, random);
    const float* view = gradient.data();
    std::vector<double> means(static_cast<std::size_t>(10 + weights.config.inputs())), advanced(1);
    const AdvanceRequest<float> request{1, pair.handles.data(), &view, pair.biases.data(), INFINITY};
    pair.optimizer.advance(request, means.data(), advanced.data());
    CHECK_SAME_BITS(means, alone.advance({gradient}).means);
    CHECK_SAME_STATE(pair.state(0), alone.state(0));
    CHECK_SAME_STATE(pair.state(1), resting);
  }
}

TEST("removing a tensor frees its memory and leaves the others as they were") {
  const CellWeights weights = randomWeights(makeConfig(10, 4, kPaperInputs), 46);
  Run<float> run(weights, testedKernels().front(), 1, {100});
  Random random(46);
  run.step({randomGradient(100, random)});
  const std::size_t bytes = run.optimizer.bytes();
  const State<float> state = run.state(0);
  const int other = run.optimizer.addTensor(100000, -6.0f);
  CHECK(run.optimizer.bytes() >= bytes + 100000 * 19 * sizeof(float));
  CHECK(run.optimizer.hasTensor(other));
  run.optimizer.removeTensor(other);
  CHECK(!run.optimizer.hasTensor(other));
  CHECK(!run.optimizer.hasTensor(-1));
  CHECK(!run.optimizer.hasTensor(other + 1));
  CHECK_EQUAL(run.optimizer.bytes(), bytes);
  CHECK_SAME_STATE(run.state(0), state);
  // A later tensor gets a handle of its own.
  CHECK(run.optimizer.addTensor(3, -6.0f) != other);
}

TEST("a tensor too large for memory is refused with bad_alloc and changes nothing") {
  Run<float> run(randomWeights(makeConfig(10, 4, kPaperInputs), 47), testedKernels().front(), 1, {10});
  const std::size_t bytes = run.optimizer.bytes();
  bool refused = false;
  try {
    run.optimizer.addTensor(std::numeric_limits<std::size_t>::max() / 4, -6.0f);
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  CHECK(refused);
  CHECK_EQUAL(run.optimizer.bytes(), bytes);
  CHECK(!run.optimizer.hasTensor(1));
}

}  // namespace lo::test
