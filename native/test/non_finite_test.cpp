// The policy for gradients that are not finite: the coordinate is skipped and counted, everything else goes on.
#include <cmath>

#include "support.h"

namespace lo::test {

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

const unsigned kFlagSets[] = {kPaperInputs, kPaperInputs | kAttention, 0xffu};

bool sameCoordinate(const std::vector<float>& a, const std::vector<float>& b, std::size_t i, std::size_t width) {
  return std::memcmp(a.data() + i * width, b.data() + i * width, width * sizeof(float)) == 0;
}

bool sameCoordinate(const State<float>& a, const State<float>& b, std::size_t i, const Config& config) {
  const std::size_t H = static_cast<std::size_t>(config.hidden), S = static_cast<std::size_t>(config.timescales);
  return sameCoordinate(a.hidden, b.hidden, i, H) && sameCoordinate(a.momentum, b.momentum, i, S) &&
         sameCoordinate(a.scale, b.scale, i, S) && sameCoordinate(a.logRate, b.logRate, i, 1) &&
         (a.position.empty() || b.position.empty() || sameCoordinate(a.position, b.position, i, 1));
}

}  // namespace

TEST("a coordinate with a NaN or infinite gradient keeps state and parameter bit for bit, and is counted") {
  for (const Kernels<float>* kernels : testedKernels()) {
    for (const unsigned flags : kFlagSets) {
      const Config config = makeConfig(10, 4, flags);
      const std::vector<std::size_t> lengths = {1, 15, 16, 37, 2100};
      Run<float> run(randomWeights(config, 51), kernels, 1, lengths);
      Random random(51);
      StepOptions options;
      options.weightDecay = 0.1;
      for (int step = 0; step < 4; ++step) {
        std::vector<std::vector<float>> gradients;
        std::vector<State<float>> before;
        std::size_t bad = 0;
        std::vector<double> good;
        for (std::size_t t = 0; t < lengths.size(); ++t) {
          gradients.push_back(randomGradient(lengths[t], random));
          before.push_back(run.state(t));
          std::size_t here = 0;
          for (float& g : gradients[t]) {
            // The first tensor stays whole; in the others one in five is bad.
            if (t == 0 || random.below(5) != 0) continue;
            g = (here % 3 == 0) ? kNaN : (here % 3 == 1) ? kInfinity : -kInfinity;
            ++here;
          }
          bad += here;
          good.push_back(static_cast<double>(lengths[t] - here));
        }
        const auto parameters = run.parameters;
        const StepResult result = run.step(gradients, options);
        CHECK_EQUAL(result.report.skipped, bad);
        CHECK(result.advanced == good);
        for (std::size_t t = 0; t < lengths.size(); ++t) {
          const State<float> after = run.state(t);
          CHECK(allFinite(after));
          CHECK(allFinite(run.parameters[t]));
          std::size_t disturbed = 0, stuck = 0;
          for (std::size_t i = 0; i < lengths[t]; ++i) {
            const bool same = sameCoordinate(after, before[t], i, config);
            if (std::isfinite(gradients[t][i])) {
              stuck += same;
            } else {
              disturbed += !same || !sameCoordinate(run.parameters[t], parameters[t], i, 1);
            }
          }
          CHECK_WITH(disturbed == 0, describe(config));
          CHECK_WITH(stuck == 0, describe(config));
        }
      }
    }
  }
}

TEST("skipped coordinates count neither in the means nor in the normalisation nor in the gradient norm") {
  // A tensor with bad entries must advance its good ones as a tensor of the good ones alone.
  const Config config = makeConfig(10, 4, kPaperInputs | kTensorLearningRateMean);
  const CellWeights weights = randomWeights(config, 52);
  for (const Kernels<float>* kernels : testedKernels()) {
    Random random(52);
    constexpr std::size_t n = 300;
    std::vector<float> mixed = randomGradient(n, random), good;
    for (std::size_t i = 0; i < n; ++i) {
      if (i % 3 == 1) {
        mixed[i] = i % 2 == 0 ? kNaN : kInfinity;
      } else {
        good.push_back(mixed[i]);
      }
    }
    Run<float> a(weights, kernels, 1, {n}), b(weights, kernels, 1, {good.size()});
    StepOptions options;
    options.clipNorm = 1e-3;
    const StepResult x = a.step({mixed}, options), y = b.step({good}, options);
    // The sums are formed in another order, the norm in double, the means from float lanes.
    CHECK_AT_MOST(std::abs(x.report.gradientNorm - y.report.gradientNorm), 1e-14 * y.report.gradientNorm, kernels->isa);
    for (std::size_t i = 0; i < x.means.size(); ++i) {
      CHECK_AT_MOST(std::abs(x.means[i] - y.means[i]), 3e-6 * std::max(1.0, std::abs(y.means[i])), kernels->isa);
    }
    for (std::size_t i = 0, k = 0; i < n; ++i) {
      if (i % 3 == 1) continue;
      const float p = a.parameters[0][i], q = b.parameters[0][k++];
      CHECK_AT_MOST(std::abs(p - q), 1e-5f * std::abs(q) + 1e-9f, kernels->isa);
    }
  }
}

TEST("a tensor without a finite gradient does not move, and its means are 0") {
  for (const Kernels<float>* kernels : testedKernels()) {
    for (const unsigned flags : kFlagSets) {
      const Config config = makeConfig(10, 4, flags);
      Run<float> run(randomWeights(config, 53), kernels, 1, {40, 25});
      Random random(53);
      run.step({randomGradient(40, random), randomGradient(25, random)});
      const State<float> before = run.state(0);
      const std::vector<float> parameter = run.parameters[0];
      StepOptions options;
      options.weightDecay = 0.5;
      options.clipNorm = 1;
      const StepResult result = run.step({std::vector<float>(40, kNaN), randomGradient(25, random)}, options);
      CHECK_SAME_STATE(run.state(0), before);
      CHECK_SAME_BITS(run.parameters[0], parameter);
      CHECK_EQUAL(result.advanced[0], 0.0);
      CHECK_EQUAL(result.advanced[1], 25.0);
      CHECK_EQUAL(result.report.skipped, std::size_t{40});
      const std::size_t width = result.means.size() / 2;
      CHECK_SAME_BITS(std::vector<double>(result.means.begin(), result.means.begin() + static_cast<std::ptrdiff_t>(width)),
                      std::vector<double>(width, 0.0));
    }
  }
}

TEST("finite gradients of any size, denormals and zeros leave state and parameters finite") {
  const float extremes[] = {0.0f, -0.0f, 1e-45f, -1e-40f, 1e-30f, 1e18f, 2e18f, -1e30f, 3.4028235e38f, -3.4028235e38f, 1.0f};
  for (const Kernels<float>* kernels : testedKernels()) {
    for (const unsigned flags : kFlagSets) {
      for (const double clipNorm : {std::numeric_limits<double>::infinity(), 1.0, 1e-30}) {
        Run<float> run(randomWeights(makeConfig(10, 4, flags), 54), kernels, 1, {200});
        Random random(54);
        StepOptions options;
        options.clipNorm = clipNorm;
        for (int step = 0; step < (kQuick ? 20 : 200); ++step) {
          std::vector<float> gradient(200);
          for (float& g : gradient) g = extremes[random.below(std::size(extremes))];
          const StepResult result = run.step({gradient}, options);
          CHECK_EQUAL(result.report.skipped, std::size_t{0});
          CHECK(allFinite(result.means));
        }
        CHECK(allFinite(run.state(0)));
        CHECK(allFinite(run.parameters[0]));
      }
    }
  }
}

TEST("finite gradients beyond 1e18 count as 1e18") {
  const CellWeights weights = randomWeights(makeConfig(10, 4, kPaperInputs), 55);
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> a(weights, kernels, 1, {20}), b(weights, kernels, 1, {20});
    std::vector<float> large(20, 3e38f), limit(20, 1e18f);
    large[3] = -1e30f;
    limit[3] = -1e18f;
    for (int step = 0; step < 3; ++step) {
      a.step({large});
      b.step({limit});
    }
    CHECK_SAME_STATE(a.state(0), b.state(0));
    CHECK_SAME_BITS(a.parameters[0], b.parameters[0]);
  }
}

TEST("ten thousand steps with zero gradients, then a huge one, leave the state finite") {
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> run(randomWeights(makeConfig(10, 4, kPaperInputs | kScaleDecayPerTimescale), 56), kernels, 1, {16});
    const std::vector<std::vector<float>> zero = {std::vector<float>(16, 0.0f)}, huge = {std::vector<float>(16, 1e30f)};
    for (int step = 0; step < (kQuick ? 500 : 10000); ++step) run.step(zero);
    CHECK(allFinite(run.state(0)));
    for (int step = 0; step < 10; ++step) run.step(huge);
    for (int step = 0; step < 10; ++step) run.step(zero);
    CHECK(allFinite(run.state(0)));
    CHECK(allFinite(run.parameters[0]));
  }
}

TEST("coordinates skipped from the first step on start as fresh ones once their gradient is finite") {
  // λ and ḡ of a fresh coordinate: its decays count as 0, so the first gradient is taken as it is.
  const CellWeights weights = randomWeights(makeConfig(10, 4, kPaperInputs), 57);
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> run(weights, kernels, 1, {20});
    Random random(57);
    std::vector<float> gradient = randomGradient(20, random);
    gradient[7] = kNaN;
    for (int step = 0; step < 3; ++step) run.step({gradient});
    gradient[7] = 0.25f;
    run.step({gradient});
    const State<float> state = run.state(0);
    CHECK_SAME_BITS(std::vector<float>(state.momentum.begin() + 28, state.momentum.begin() + 32),
                    std::vector<float>(4, 0.25f));
    CHECK_SAME_BITS(std::vector<float>(state.scale.begin() + 28, state.scale.begin() + 32),
                    std::vector<float>(4, 0.0625f));
  }
}

}  // namespace lo::test
