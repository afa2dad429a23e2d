// Steps with state in 16 bits: memory, the same bits for any number of threads and after an interruption, skipped
// coordinates, and averages that follow those of float32.
#include <algorithm>
#include <cmath>

#include "../compact_state.h"
#include "support.h"

namespace lo::test {

namespace {

const std::vector<std::size_t> kLengths = {1, 15, 16, 17, 100, 2049, 4500};

const Config kConfigs[] = {presetConfig(), makeConfig(10, 4, kPaperInputs), makeConfig(10, 4, kPaperInputs | kAttention),
                           makeConfig(5, 3, 0xff), makeConfig(3, 1, kPaperInputs)};

Run<float> compactRun(const CellWeights& weights, const Kernels<float>* kernels, unsigned threads,
                      const std::vector<std::size_t>& lengths) {
  return Run<float>(weights, kernels, threads, lengths, -6.0f, true);
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

TEST("16-bit state takes 36 bytes per parameter with the default preset's architecture and 44 with the paper's") {
  const struct {
    Config config;
    double plain, compact;
  } cases[] = {{presetConfig(), 64, 36}, {makeConfig(10, 4, kPaperInputs), 80, 44}};
  for (const auto& c : cases) {
    const CellWeights weights = randomWeights(c.config, 70);
    for (const bool compact : {false, true}) {
      Run<float> run(weights, testedKernels().front(), 1, {160000}, -6.0f, compact);
      Random random(70);
      run.step({randomGradient(160000, random)});
      CHECK_EQUAL(static_cast<double>(run.optimizer.bytes()) / 160000, compact ? c.compact : c.plain);
    }
  }
}

TEST("with 16-bit state 1, 2, 3 and 8 threads give the same bits") {
  for (const Config& config : kConfigs) {
    const CellWeights weights = randomWeights(config, 71);
    for (const Kernels<float>* kernels : testedKernels()) {
      for (const unsigned threads : {2u, 3u, 8u}) {
        Run<float> one = compactRun(weights, kernels, 1, kLengths);
        Run<float> many = compactRun(weights, kernels, threads, kLengths);
        Random random(71);
        for (int step = 0; step < 3; ++step) {
          const auto gradients = gradientsFor(kLengths, random);
          CHECK_SAME_BITS(many.step(gradients).means, one.step(gradients).means);
        }
        for (std::size_t t = 0; t < kLengths.size(); ++t) {
          CHECK_SAME_BITS(many.parameters[t], one.parameters[t]);
          CHECK_SAME_STATE(many.state(t), one.state(t));
        }
      }
    }
  }
}

TEST("steps from an imported 16-bit state give the bits of an uninterrupted run, on the same count of steps only") {
  for (const Config& config : kConfigs) {
    const CellWeights weights = randomWeights(config, 72);
    for (const Kernels<float>* kernels : testedKernels()) {
      Run<float> original = compactRun(weights, kernels, 2, kLengths);
      Run<float> resumed = compactRun(weights, kernels, 1, kLengths);
      Run<float> elsewhere = compactRun(weights, kernels, 1, kLengths);
      Random random(72);
      for (int step = 0; step < 3; ++step) original.step(gradientsFor(kLengths, random));
      resumed.iteration = original.iteration;
      for (Run<float>* run : {&resumed, &elsewhere}) {
        for (std::size_t t = 0; t < kLengths.size(); ++t) {
          run->setState(t, original.state(t));
          CHECK_SAME_STATE(run->state(t), original.state(t));
          run->parameters[t] = original.parameters[t];
        }
      }
      for (int step = 0; step < 3; ++step) {
        const auto gradients = gradientsFor(kLengths, random);
        CHECK_SAME_BITS(resumed.step(gradients).means, original.step(gradients).means);
        elsewhere.step(gradients);
      }
      for (std::size_t t = 0; t < kLengths.size(); ++t) {
        CHECK_SAME_BITS(resumed.parameters[t], original.parameters[t]);
        CHECK_SAME_STATE(resumed.state(t), original.state(t));
      }
      CHECK(firstDifference(elsewhere.state(6).scale, original.state(6).scale) < 4500);
    }
  }
}

TEST("the first step with 16-bit state is that of float32, and its state is rounded to a neighbour") {
  for (const Config& config : kConfigs) {
    CellWeights weights = randomWeights(config, 73);
    // Initial values that the format has, so that both begin alike.
    for (double& h : weights.initialHidden) h = std::round(h * 1024) / 1024;
    for (const Kernels<float>* kernels : testedKernels()) {
      Run<float> compact = compactRun(weights, kernels, 1, {700}), plain(weights, kernels, 1, {700});
      Random random(73);
      const std::vector<float> gradient = randomGradient(700, random);
      CHECK_SAME_BITS(compact.step({gradient}).means, plain.step({gradient}).means);
      CHECK_SAME_BITS(compact.parameters[0], plain.parameters[0]);
      const State<float> a = compact.state(0), b = plain.state(0);
      CHECK_SAME_BITS(a.logRate, b.logRate);
      for (std::size_t i = 0; i < a.hidden.size(); ++i) {
        CHECK_AT_MOST(std::fabs(a.hidden[i] - b.hidden[i]), 2 * 0x1p-15f, "hidden");
      }
      for (std::size_t i = 0; i < a.scale.size(); ++i) {
        CHECK_AT_MOST(std::fabs(a.momentum[i] - b.momentum[i]), 0x1p-7f * std::fabs(b.momentum[i]), "momentum");
        CHECK_AT_MOST(std::fabs(a.scale[i] - b.scale[i]), 0x1p-7f * b.scale[i], "scale");
      }
    }
  }
}

TEST("with 16-bit state skipped coordinates keep their state and parameter bit for bit") {
  for (const Config& config : kConfigs) {
    const CellWeights weights = randomWeights(config, 74);
    for (const Kernels<float>* kernels : testedKernels()) {
      Run<float> run = compactRun(weights, kernels, 1, {37});
      Random random(74);
      std::vector<float> gradient = randomGradient(37, random);
      // Coordinate 7 is never advanced.
      gradient[7] = NAN;
      for (int step = 0; step < 3; ++step) run.step({gradient});
      const State<float> before = run.state(0);
      const std::vector<float> parameters = run.parameters[0];
      CHECK_EQUAL(before.scale[7 * static_cast<std::size_t>(config.timescales)], 0.0f);
      std::fill(gradient.begin(), gradient.end(), INFINITY);
      for (int step = 0; step < 3; ++step) run.step({gradient});
      CHECK_SAME_STATE(run.state(0), before);
      CHECK_SAME_BITS(run.parameters[0], parameters);
    }
  }
}

TEST("16-bit state stays finite under the largest gradients, and above 0 under the smallest") {
  for (const Config& config : kConfigs) {
    const CellWeights weights = randomWeights(config, 75);
    for (const Kernels<float>* kernels : testedKernels()) {
      Run<float> run = compactRun(weights, kernels, 1, {64, 64});
      for (int step = 0; step < 30; ++step) {
        const float large = step % 3 == 0 ? -3.4e38f : 3.4e38f, small = step == 0 ? 1e-30f : 0.0f;
        run.step({std::vector<float>(64, large), std::vector<float>(64, small)});
      }
      for (std::size_t t = 0; t < 2; ++t) {
        const State<float> s = run.state(t);
        CHECK(allFinite(s));
        CHECK(std::all_of(s.scale.begin(), s.scale.end(), [](float v) { return v > 0; }));
      }
    }
  }
}

TEST("imported values beyond the 16-bit range are clamped, tiny scales stay above 0") {
  const Config config = presetConfig();
  Run<float> run = compactRun(randomWeights(config, 76), testedKernels().front(), 1, {16});
  State<float> s = run.state(0);
  std::fill(s.hidden.begin(), s.hidden.end(), 1e6f);
  std::fill(s.scale.begin(), s.scale.end(), 1e-44f);
  std::fill(s.momentum.begin(), s.momentum.end(), -1e18f);
  run.setState(0, s);
  const State<float> t = run.state(0);
  for (const float h : t.hidden) CHECK(h > 0.9f && h < 64.0f);
  for (const float v : t.scale) CHECK(v > 0.0f && v < 2e-38f);
  for (const float m : t.momentum) CHECK_AT_MOST(std::fabs(m + 1e18f), 2e15f, "momentum");
}

TEST("averages over hundreds of steps follow those of float32: roundings do not add up to a bias") {
  // Decays of 0.9999: 16-bit values rounded to the nearest would never move.
  CellWeights weights = randomWeights(presetConfig(), 77);
  weights.config.gradientScale = 1;
  for (auto* readout : {&weights.scaleDecayReadout, &weights.inputDecayReadout}) {
    std::fill(readout->begin(), readout->end(), 0.0);
  }
  weights.scaleDecayBias = weights.inputDecayBias = 9.2;
  const std::size_t n = 2048, S = 4;
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> compact = compactRun(weights, kernels, 1, {n}), plain(weights, kernels, 1, {n});
    const auto step = [&](float gradient) {
      compact.step({std::vector<float>(n, gradient)});
      plain.step({std::vector<float>(n, gradient)});
    };
    step(1.0f);
    for (int i = 0; i < (kQuick ? 300 : 1000); ++i) step(0.1f);
    const State<float> a = compact.state(0), b = plain.state(0);
    for (std::size_t s = 0; s < S; ++s) {
      const auto sumOf = [&](const std::vector<float>& values) {
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(values[i * S + s]);
        return sum;
      };
      CHECK_AT_MOST(std::fabs(sumOf(a.momentum) / sumOf(b.momentum) - 1), 0.003, "momentum " + text(s));
      CHECK_AT_MOST(std::fabs(sumOf(a.scale) / sumOf(b.scale) - 1), 0.003, "scale " + text(s));
    }
    // Far from where the averages began, so that one that stood still would show.
    CHECK(b.momentum[0] < 0.98f);
  }
}

}  // namespace lo::test
