// With attention the caller's parameters hold the lookahead point φ and the state holds θ.
#include <algorithm>
#include <cmath>

#include "support.h"

namespace lo::test {

namespace {

const std::vector<std::size_t> kLengths = {1, 17, 64, 2050};

std::vector<std::vector<float>> gradientsFor(Random& random) {
  std::vector<std::vector<float>> gradients;
  for (const std::size_t length : kLengths) gradients.push_back(randomGradient(length, random));
  return gradients;
}

// The same meta-parameters with and without the switch.
CellWeights withAttention(CellWeights weights) {
  weights.config.flags |= kAttention;
  return weights;
}

template <class F>
void forEachTensor(F&& body) {
  for (std::size_t t = 0; t < kLengths.size(); ++t) body(t);
}

}  // namespace

TEST("theta advances as the parameters do without attention, bit for bit") {
  const CellWeights plainWeights = randomWeights(makeConfig(10, 4, kPaperInputs), 61);
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> plain(plainWeights, kernels, 1, kLengths), ahead(withAttention(plainWeights), kernels, 1, kLengths);
    Random random(61);
    forEachTensor([&](std::size_t t) { ahead.parameters[t] = plain.parameters[t] = randomValues(kLengths[t], random); });
    StepOptions options;
    options.weightDecay = 0.02;
    options.multiplier = 0.7;
    for (int step = 0; step < 5; ++step) {
      const auto gradients = gradientsFor(random);
      plain.step(gradients, options);
      ahead.step(gradients, options);
      forEachTensor([&](std::size_t t) {
        CHECK_SAME_BITS(ahead.state(t).position, plain.parameters[t]);
        // φ is another point.
        CHECK(ahead.parameters[t] != plain.parameters[t]);
      });
    }
  }
}

TEST("a lookahead head equal to the update head gives phi = theta where the step offset is 0") {
  CellWeights weights = withAttention(randomWeights(makeConfig(10, 4, kPaperInputs), 62));
  weights.attentionReadout = weights.updateReadout;
  weights.attentionShortcut = weights.updateShortcut;
  weights.stepOffset = 0;
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> run(weights, kernels, 1, kLengths);
    Random random(62);
    StepOptions options;
    options.weightDecay = 0.02;
    for (int step = 0; step < 3; ++step) {
      run.step(gradientsFor(random), options);
      forEachTensor([&](std::size_t t) { CHECK_SAME_BITS(run.parameters[t], run.state(t).position); });
    }
  }
}

TEST("the step offset scales the step of theta and not the lookahead") {
  CellWeights weights = withAttention(randomWeights(makeConfig(10, 4, kPaperInputs), 63));
  weights.attentionReadout = weights.updateReadout;
  weights.attentionShortcut = weights.updateShortcut;
  for (const double offset : {-1.0, 0.5}) {
    weights.stepOffset = offset;
    for (const Kernels<float>* kernels : testedKernels()) {
      Run<float> run(weights, kernels, 1, kLengths);
      Random random(63);
      run.step(gradientsFor(random));
      forEachTensor([&](std::size_t t) {
        // From θ = 0: θ' = e^o·φ, up to two exponentials and some products of 1 ulp.
        const std::vector<float> theta = run.state(t).position;
        double worst = 0;
        for (std::size_t i = 0; i < theta.size(); ++i) {
          const double expected = std::exp(offset) * static_cast<double>(run.parameters[t][i]);
          worst = std::max(worst, std::abs(static_cast<double>(theta[i]) - expected) / std::abs(expected));
        }
        CHECK_AT_MOST(worst, 1e-5, kernels->isa);
      });
    }
  }
}

TEST("once theta is held, what the caller writes into the parameters does not matter") {
  const CellWeights weights = withAttention(randomWeights(makeConfig(10, 4, kPaperInputs), 64));
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> a(weights, kernels, 1, kLengths), b(weights, kernels, 1, kLengths);
    Random random(64);
    for (int step = 0; step < 3; ++step) {
      const auto gradients = gradientsFor(random);
      a.step(gradients);
      b.step(gradients);
      forEachTensor([&](std::size_t t) {
        CHECK_SAME_BITS(b.parameters[t], a.parameters[t]);
        CHECK_SAME_BITS(b.state(t).position, a.state(t).position);
        std::fill(b.parameters[t].begin(), b.parameters[t].end(), 123.0f);
      });
    }
  }
}

TEST("after a reset of the position theta is taken from the parameters") {
  const CellWeights plainWeights = randomWeights(makeConfig(10, 4, kPaperInputs), 65);
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> plain(plainWeights, kernels, 1, kLengths), ahead(withAttention(plainWeights), kernels, 1, kLengths);
    Random random(65);
    forEachTensor([&](std::size_t t) { CHECK(!ahead.optimizer.hasPosition(ahead.handles[t])); });
    for (int step = 0; step < 4; ++step) {
      const auto gradients = gradientsFor(random);
      if (step == 2) {
        forEachTensor([&](std::size_t t) {
          ahead.optimizer.resetPosition(ahead.handles[t]);
          CHECK(!ahead.optimizer.hasPosition(ahead.handles[t]));
          ahead.parameters[t] = plain.parameters[t] = randomValues(kLengths[t], random);
        });
      }
      plain.step(gradients);
      ahead.step(gradients);
      forEachTensor([&](std::size_t t) {
        CHECK(ahead.optimizer.hasPosition(ahead.handles[t]));
        CHECK_SAME_BITS(ahead.state(t).position, plain.parameters[t]);
      });
    }
  }
}

TEST("state imported without a position takes theta from the parameters at the next step") {
  const CellWeights weights = withAttention(randomWeights(makeConfig(10, 4, kPaperInputs), 66));
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> a(weights, kernels, 1, kLengths), b(weights, kernels, 1, kLengths);
    Random random(66);
    a.step(gradientsFor(random));
    forEachTensor([&](std::size_t t) {
      State<float> state = a.state(t);
      b.parameters[t] = state.position;
      state.position.clear();
      b.setState(t, state);
      CHECK(!b.optimizer.hasPosition(b.handles[t]));
    });
    const auto gradients = gradientsFor(random);
    a.step(gradients);
    b.step(gradients);
    forEachTensor([&](std::size_t t) {
      CHECK_SAME_BITS(b.parameters[t], a.parameters[t]);
      CHECK_SAME_STATE(b.state(t), a.state(t));
    });
  }
}

TEST("a tensor whose parameter is left out of the second half keeps theta and phi") {
  const CellWeights weights = withAttention(randomWeights(makeConfig(10, 4, kPaperInputs), 67));
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> run(weights, kernels, 1, {40, 40});
    Random random(67);
    run.advance({randomGradient(40, random), randomGradient(40, random)});
    float* const firstOnly[] = {run.parameters[0].data(), nullptr};
    run.optimizer.apply(firstOnly, 1, 0);
    CHECK(run.optimizer.hasPosition(run.handles[0]));
    CHECK(!run.optimizer.hasPosition(run.handles[1]));
    CHECK_SAME_BITS(run.parameters[1], std::vector<float>(40, 0.0f));
    CHECK(run.parameters[0] != run.parameters[1]);
  }
}

}  // namespace lo::test
