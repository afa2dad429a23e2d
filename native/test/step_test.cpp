// One step in float against the same step in double, from the same state, over many architectures.
#include <algorithm>
#include <cmath>

#include "support.h"

namespace lo::test {

namespace {

// Largest deviations seen, each in the unit that its tolerance below is stated in.
struct Deviations {
  double hidden = 0, momentum = 0, scale = 0, logRate = 0, update = 0, lookahead = 0, means = 0;
};

// Tolerances, in units that rounding errors grow with:
//   hidden    absolute; values lie in [-1, 1]. The inputs carry errors of about 1e-6: 2 ulp of logarithms of size 16 to 64
//             (4e-6 at most), 4e-7 of asinh, and cancellation in momenta. They pass through weights of norm about 1.
//   momentum  relative to max(|old|, |scaled gradient|), of which it is an average; the decay errs by some ulp.
//   scale     relative to max(λ, momentum unit²), likewise.
//   logRate   absolute; the head's error (as hidden) plus 2 ulp of values up to 33 (4e-6).
//   updates   relative to the step size e^(η_step + o)·multiplier, times the deviation that the direction has in units of
//             its root mean square: exp turns the absolute error of η_step into a relative one.
//   means     absolute, relative to max(1, |mean|): sums of 16 lanes in float over 2,048 coordinates.
// Measured maxima stay below a third of these.
constexpr Deviations kTolerance = {3e-5, 2e-6, 4e-6, 3e-5, 1e-4, 1e-4, 3e-5};

void grow(double& worst, double value) {
  if (!(value <= worst)) worst = std::isnan(value) ? INFINITY : value;
}

double distance(float a, double b) { return std::abs(static_cast<double>(a) - b); }

std::vector<std::vector<double>> widen(const std::vector<std::vector<float>>& lists) {
  std::vector<std::vector<double>> wide;
  for (const auto& list : lists) wide.emplace_back(list.begin(), list.end());
  return wide;
}

struct Comparison {
  Config config;
  std::uint64_t seed;
  std::vector<std::size_t> lengths;
  StepOptions options;
  double magnitude = 1e-2;
  int steps = 5;
};

// e^η_step·multiplier of every coordinate, from η before and after.
double stepSize(double before, double after, double momentum, const StepOptions& options) {
  return std::exp((after - momentum * before) / (1 - momentum)) * options.multiplier;
}

void compareStates(const State<float>& single, const State<double>& exact, const State<float>& before,
                   const std::vector<double>& gradient, double factor, int H, int S, Deviations& d) {
  for (std::size_t i = 0; i < single.logRate.size(); ++i) {
    for (int j = 0; j < H; ++j) {
      const std::size_t k = i * static_cast<std::size_t>(H) + static_cast<std::size_t>(j);
      grow(d.hidden, distance(single.hidden[k], exact.hidden[k]));
    }
    grow(d.logRate, distance(single.logRate[i], exact.logRate[i]));
    for (int s = 0; s < S; ++s) {
      const std::size_t k = i * static_cast<std::size_t>(S) + static_cast<std::size_t>(s);
      const double unit = std::max(std::abs(static_cast<double>(before.momentum[k])), std::abs(gradient[i] * factor));
      // Of the smallest floats only few digits are left.
      grow(d.momentum, distance(single.momentum[k], exact.momentum[k]) / std::max(unit, 1e-35));
      grow(d.scale, distance(single.scale[k], exact.scale[k]) / std::max(exact.scale[k], unit * unit));
    }
  }
}

void compareParameters(const std::vector<float>& single, const std::vector<double>& exact,
                       const std::vector<float>& start, const std::vector<double>& sizes, double& worst) {
  for (std::size_t i = 0; i < single.size(); ++i) {
    const double rounding = 1.2e-7 * std::abs(static_cast<double>(start[i]));
    grow(worst, std::max(0.0, distance(single[i], exact[i]) - rounding) / (sizes[i] + rounding));
  }
}

void compareStep(const Comparison& c, Run<float>& single, Run<double>& exact, Random& random, Deviations& d) {
  const std::size_t tensors = c.lengths.size();
  const CellWeights weights = randomWeights(c.config, c.seed);
  const bool attention = c.config.attention();
  std::vector<State<float>> before;
  std::vector<std::vector<float>> gradients, start;
  for (std::size_t t = 0; t < tensors; ++t) {
    before.push_back(single.state(t));
    exact.setState(t, before[t]);
    exact.parameters[t].assign(single.parameters[t].begin(), single.parameters[t].end());
    start.push_back(before[t].position.empty() ? single.parameters[t] : before[t].position);
    gradients.push_back(randomGradient(c.lengths[t], random, c.magnitude));
  }
  const auto wide = widen(gradients);
  const StepResult a = single.step(gradients, c.options), b = exact.step(wide, c.options);

  double shrink = 1;
  if (std::isfinite(c.options.clipNorm)) {
    CHECK_EQUAL(a.report.gradientNorm, b.report.gradientNorm);
    shrink = std::min(1.0, c.options.clipNorm / b.report.gradientNorm);
  } else {
    CHECK(std::isnan(a.report.gradientNorm));
  }
  CHECK(a.advanced == b.advanced);
  for (std::size_t i = 0; i < a.means.size(); ++i) {
    grow(d.means, std::abs(a.means[i] - b.means[i]) / std::max(1.0, std::abs(b.means[i])));
  }
  for (std::size_t t = 0; t < tensors; ++t) {
    const State<float> after = single.state(t);
    const State<double> expected = exact.state(t);
    compareStates(after, expected, before[t], wide[t], shrink * c.config.gradientScale, c.config.hidden,
                  c.config.timescales, d);
    std::vector<double> sizes, aheadSizes;
    for (std::size_t i = 0; i < c.lengths[t]; ++i) {
      const double size = stepSize(static_cast<double>(before[t].logRate[i]), expected.logRate[i],
                                   weights.rateMomentum, c.options);
      aheadSizes.push_back(size);
      sizes.push_back(size * std::exp(weights.stepOffset));
    }
    if (attention) {
      compareParameters(single.parameters[t], exact.parameters[t], start[t], aheadSizes, d.lookahead);
      compareParameters(after.position, expected.position, start[t], sizes, d.update);
    } else {
      compareParameters(single.parameters[t], exact.parameters[t], start[t], sizes, d.update);
    }
  }
}

// Advances a float optimizer some steps; before each, the double one receives its state.
Deviations compare(const Comparison& c, const Kernels<float>* kernels) {
  Deviations d;
  Random random(c.seed + 1);
  const CellWeights weights = randomWeights(c.config, c.seed);
  Run<float> single(weights, kernels, 1, c.lengths);
  Run<double> exact(weights, referenceKernels(), 1, c.lengths);
  for (std::size_t t = 0; t < c.lengths.size(); ++t) {
    // Half the tensors start at 0, where an update is seen without rounding.
    if (t % 2 == 1) single.parameters[t] = randomValues(c.lengths[t], random);
    State<float> state = single.state(t);
    for (float& rate : state.logRate) rate += static_cast<float>(random.normal());
    single.setState(t, state);
  }
  for (int s = 0; s < c.steps; ++s) compareStep(c, single, exact, random, d);
  return d;
}

void hold(const Deviations& d, const Comparison& c, const Kernels<float>* kernels) {
  const std::string where = std::string(kernels->isa) + ", " + describe(c.config) + ", seed " + text(c.seed);
  CHECK_AT_MOST(d.hidden, kTolerance.hidden, where);
  CHECK_AT_MOST(d.momentum, kTolerance.momentum, where);
  CHECK_AT_MOST(d.scale, kTolerance.scale, where);
  CHECK_AT_MOST(d.logRate, kTolerance.logRate, where);
  CHECK_AT_MOST(d.update, kTolerance.update, where);
  CHECK_AT_MOST(d.lookahead, kTolerance.lookahead, where);
  CHECK_AT_MOST(d.means, kTolerance.means, where);
}

void compareAll(const std::vector<Comparison>& comparisons) {
  for (const Kernels<float>* kernels : testedKernels()) {
    Deviations worst;
    for (const Comparison& c : comparisons) {
      const Deviations d = compare(c, kernels);
      hold(d, c, kernels);
      for (double Deviations::*field : {&Deviations::hidden, &Deviations::momentum, &Deviations::scale,
                                        &Deviations::logRate, &Deviations::update, &Deviations::lookahead,
                                        &Deviations::means}) {
        grow(worst.*field, d.*field);
      }
    }
    report("%-8s hidden %.2g momentum %.2g scale %.2g logRate %.2g update %.2g lookahead %.2g means %.2g", kernels->isa,
           worst.hidden, worst.momentum, worst.scale, worst.logRate, worst.update, worst.lookahead, worst.means);
  }
}

const std::vector<std::size_t> kLengths = kQuick ? std::vector<std::size_t>{1, 17, 33} : std::vector<std::size_t>{1, 17, 300, 2065};

}  // namespace

TEST("float steps agree with double steps for the architectures that have a compiled-in shape") {
  std::vector<Comparison> list;
  for (const unsigned more : {0u, +kAttention, +kAbsoluteLearningRate, kAttention | kAbsoluteLearningRate}) {
    list.push_back({makeConfig(10, 4, kPaperInputs | more), 100 + more, kLengths, {}});
    list.push_back({makeConfig(10, 4, kPaperInputs | more | kTensorLearningRateMean), 200 + more, kLengths, {}});
  }
  list.push_back({presetConfig(), 150, kLengths, {}});
  list.push_back({presetConfig(), 151, kLengths, {0.1, 0.3, 0.01}, 1e-6});
  Config others = presetConfig();
  others.flags |= kTensorLearningRateMean;
  others.gradientScale = 1;
  list.push_back({others, 250, kLengths, {}});
  for (Config algebraic : {presetConfig(), makeConfig(5, 3, presetConfig().flags)}) {
    algebraic.flags |= kAlgebraicActivations;
    list.push_back({algebraic, 160, kLengths, {}});
    list.push_back({algebraic, 161, kLengths, {0.1, 0.3, 0.01}, 1e-6});
  }
  // Whose sizes are compiled in, but not without dynamic scaling.
  for (Config unscaled : {presetConfig(), makeConfig(10, 4, kPaperInputs), makeConfig(10, 4, kPaperInputs | kAttention)}) {
    unscaled.flags |= kUnscaledInputs;
    unscaled.gradientScale = 1;
    list.push_back({unscaled, 170, kLengths, {}});
    unscaled.flags |= kAlgebraicActivations;
    list.push_back({unscaled, 171, kLengths, {}});
  }
  compareAll(list);
}

TEST("float steps agree with double steps for every set of input switches") {
  std::vector<Comparison> list;
  for (unsigned inputs = 0; inputs < 128; ++inputs) {
    const unsigned activations = inputs % 64 < 32 ? 0u : +kAlgebraicActivations;
    const unsigned scaling = inputs < 64 ? 0u : +kUnscaledInputs;
    const unsigned more = activations | scaling | (inputs % 3 == 0 ? +kAttention : 0u) | (inputs % 2 == 0 ? +kScaleDecayPerTimescale : 0u) |
                          (inputs % 5 == 0 ? +kTensorLearningRateMean : 0u);
    list.push_back({makeConfig(5, 3, inputs % 32 | more), 300 + inputs, {19, 130}, {}});
  }
  compareAll(list);
}

TEST("float steps agree with double steps for 1 to 5 timescales and hidden sizes from 1 to 32") {
  std::vector<Comparison> list;
  for (int timescales = 1; timescales <= kMaxTimescales; ++timescales) {
    for (const int hidden : {1, 2, 3, 6, 7, 10, 11, 16, 20, 31, kMaxHidden}) {
      if (kQuick && (hidden + timescales) % 3 != 0) continue;
      const unsigned seed = 400 + static_cast<unsigned>(timescales * 40 + hidden);
      Config config = makeConfig(hidden, timescales, seed % 1024);
      // Unscaled inputs near 0 leave coordinates so alike that a direction may be little but the rounding of what cancels.
      if ((config.flags & kUnscaledInputs) != 0) config.gradientScale = 0x1p10;
      list.push_back({config, seed, {33, 100}, {}});
    }
  }
  compareAll(list);
}

TEST("float steps agree with double steps with clipping, weight decay, a multiplier and gradients of any size") {
  std::vector<Comparison> list;
  const Config configs[] = {makeConfig(10, 4, kPaperInputs), makeConfig(8, 5, 0xff), makeConfig(7, 4, 0x1ff),
                            makeConfig(6, 3, 0x3ff)};
  unsigned seed = 700;
  for (const double magnitude : {1e-12, 1e-6, 1.0, 1e6, 1e15}) {
    for (const double clip : {std::numeric_limits<double>::infinity(), 1.0, 1e-3 * magnitude}) {
      list.push_back({configs[seed % 4], seed, {150, 17}, {clip, 0.3, 0.01}, magnitude});
      ++seed;
    }
  }
  compareAll(list);
}

TEST("float steps agree with double steps where the learning rate meets its limits") {
  std::vector<Comparison> list;
  for (unsigned seed = 800; seed < 804; ++seed) {
    Config config = makeConfig(10, 4, kPaperInputs | kExtremeRateIndicator | kAbsoluteLearningRate);
    config.maxLogLearningRate = seed % 2 == 0 ? -6.0 : -33.0;
    list.push_back({config, seed, {200}, {}});
  }
  compareAll(list);
}

TEST("raw steps are capped at the largest log learning rate and never fall below the smallest") {
  for (const Kernels<float>* kernels : testedKernels()) {
    Config config = makeConfig(10, 4, kPaperInputs);
    config.maxLogLearningRate = -5;
    CellWeights weights = randomWeights(config, 21);
    weights.rateMomentum = 0;
    Random random(5);
    for (const double bias : {1000.0, -1000.0}) {
      weights.rateBias = bias;
      Run<float> run(weights, kernels, 1, {50});
      run.step({randomGradient(50, random)});
      const float expected = bias > 0 ? -5.0f : static_cast<float>(kMinLogLearningRate);
      CHECK_SAME_BITS(run.state(0).logRate, std::vector<float>(50, expected));
    }
  }
}

}  // namespace lo::test
