// The same bits whatever the number of threads, and whatever tensor, chunk, block and lane a coordinate lies in.
#include <algorithm>
#include <cmath>

#include "support.h"

namespace lo::test {

namespace {

const std::vector<std::size_t> kLengths = {1, 15, 16, 17, 2047, 2048, 2049, 5000};

std::vector<std::vector<float>> gradientsFor(const std::vector<std::size_t>& lengths, Random& random) {
  std::vector<std::vector<float>> gradients;
  for (const std::size_t length : lengths) {
    gradients.push_back(randomGradient(length, random));
    // A skipped coordinate here and there takes the kernels' other branch.
    if (length > 10) gradients.back()[length / 3] = NAN;
  }
  return gradients;
}

void compareThreads(const CellWeights& weights, const std::vector<std::size_t>& lengths, const StepOptions& options) {
  for (const Kernels<float>* kernels : testedKernels()) {
    for (const unsigned threads : {2u, 3u, 8u}) {
      Run<float> many(weights, kernels, threads, lengths);
      Run<float> one(weights, kernels, 1, lengths);
      Random random(9);
      for (int step = 0; step < (kQuick ? 2 : 4); ++step) {
        const auto gradients = gradientsFor(lengths, random);
        const StepResult expected = one.step(gradients, options), actual = many.step(gradients, options);
        CHECK_SAME_BITS(actual.means, expected.means);
        CHECK_SAME_BITS(actual.advanced, expected.advanced);
        CHECK_SAME_BITS(std::vector<double>{actual.report.gradientNorm},
                        std::vector<double>{expected.report.gradientNorm});
        CHECK_EQUAL(actual.report.skipped, expected.report.skipped);
      }
      for (std::size_t t = 0; t < lengths.size(); ++t) {
        CHECK_SAME_BITS(many.parameters[t], one.parameters[t]);
        CHECK_SAME_STATE(many.state(t), one.state(t));
      }
    }
  }
}

// Copies of `whole` cut at the given lengths.
std::vector<std::vector<float>> cut(const std::vector<float>& whole, const std::vector<std::size_t>& lengths) {
  std::vector<std::vector<float>> parts;
  std::size_t begin = 0;
  for (const std::size_t length : lengths) {
    const auto first = whole.begin() + static_cast<std::ptrdiff_t>(begin);
    parts.emplace_back(first, first + static_cast<std::ptrdiff_t>(length));
    begin += length;
  }
  return parts;
}

State<float> joined(const Run<float>& run, std::size_t tensors) {
  State<float> all;
  for (std::size_t t = 0; t < tensors; ++t) {
    const State<float> s = run.state(t);
    const auto append = [](std::vector<float>& to, const std::vector<float>& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(all.hidden, s.hidden);
    append(all.momentum, s.momentum);
    append(all.scale, s.scale);
    append(all.logRate, s.logRate);
    append(all.position, s.position);
  }
  return all;
}

}  // namespace

TEST("1, 2, 3 and 8 threads give the same bits for tensors around the sizes of blocks and chunks") {
  compareThreads(randomWeights(makeConfig(10, 4, kPaperInputs), 31), kLengths, {});
  compareThreads(randomWeights(presetConfig(), 30), kLengths, {});
}

TEST("1, 2, 3 and 8 threads give the same bits with clipping, attention and weight decay") {
  StepOptions options;
  options.clipNorm = 0.1;
  options.weightDecay = 0.01;
  compareThreads(randomWeights(makeConfig(10, 4, kPaperInputs | kAttention), 32), kLengths, options);
  for (const unsigned flags : {0xffu, 0x1ffu}) {
    compareThreads(randomWeights(makeConfig(6, 2, flags), 33), kLengths, options);
  }
}

TEST("1, 2, 3 and 8 threads give the same bits for hundreds of small tensors") {
  Random random(34);
  std::vector<std::size_t> lengths;
  for (int i = 0; i < 400; ++i) lengths.push_back(1 + random.below(60));
  compareThreads(randomWeights(makeConfig(10, 4, kPaperInputs), 34), lengths, {});
}

TEST("two runs of the same steps give the same bits in double too, with 1 and 3 threads") {
  const CellWeights weights = randomWeights(makeConfig(4, 3, kPaperInputs), 35);
  Run<double> one(weights, referenceKernels(), 1, kLengths), three(weights, referenceKernels(), 3, kLengths);
  Random random(35);
  std::vector<std::vector<double>> gradients;
  for (const auto& g : gradientsFor(kLengths, random)) gradients.emplace_back(g.begin(), g.end());
  CHECK_SAME_BITS(three.step(gradients).means, one.step(gradients).means);
  for (std::size_t t = 0; t < kLengths.size(); ++t) {
    CHECK_SAME_BITS(three.parameters[t], one.parameters[t]);
    CHECK_SAME_STATE(three.state(t), one.state(t));
  }
}

TEST("a coordinate's new state does not depend on the tensor, chunk, block or lane it lies in") {
  // Without the relative learning rate, coordinates meet only in the biases (made equal here) and in the normalisation.
  const Config config = makeConfig(10, 4, kGradientProducts | kRelativeLogMagnitude | kAbsoluteLearningRate);
  const CellWeights weights = randomWeights(config, 36);
  const std::vector<std::size_t> parts = {1, 15, 16, 17, 3, 2047, 2049, 2048, 31, 773};
  std::size_t total = 0;
  for (const std::size_t part : parts) total += part;
  for (const Kernels<float>* kernels : testedKernels()) {
    Run<float> whole(weights, kernels, 1, {total}), split(weights, kernels, 1, parts);
    for (std::size_t i = 0; i < split.biases.size(); ++i) split.biases[i] = whole.biases[i % 30];
    Random random(36);
    for (int step = 0; step < 4; ++step) {
      std::vector<float> gradient = randomGradient(total, random);
      gradient[20] = NAN;
      whole.step({gradient});
      split.step(cut(gradient, parts));
    }
    CHECK_SAME_STATE(joined(split, parts.size()), whole.state(0));
  }
}

TEST("gradients and parameters need no alignment beyond that of their type") {
  const CellWeights weights = randomWeights(makeConfig(10, 4, kPaperInputs | kAttention), 37);
  constexpr std::size_t n = 83;
  for (const Kernels<float>* kernels : testedKernels()) {
    Random random(37);
    const std::vector<float> gradient = randomGradient(n, random), start = randomValues(n, random);
    Run<float> expected(weights, kernels, 1, {n});
    expected.parameters[0] = start;
    expected.step({gradient});
    for (std::size_t shift = 1; shift < 4; ++shift) {
      Run<float> run(weights, kernels, 1, {n});
      std::vector<float> g(shift + n), p(shift + n);
      std::copy(gradient.begin(), gradient.end(), g.begin() + static_cast<std::ptrdiff_t>(shift));
      std::copy(start.begin(), start.end(), p.begin() + static_cast<std::ptrdiff_t>(shift));
      const float* gradientView = g.data() + shift;
      float* parameterView = p.data() + shift;
      std::vector<double> means(static_cast<std::size_t>(10 + run.optimizer.config().inputs())), advanced(1);
      const AdvanceRequest<float> request{1, run.handles.data(), &gradientView, run.biases.data(), INFINITY};
      run.optimizer.advance(request, means.data(), advanced.data());
      run.optimizer.apply(&parameterView, 1, 0);
      CHECK_SAME_BITS(std::vector<float>(parameterView, parameterView + n), expected.parameters[0]);
      CHECK_SAME_STATE(run.state(0), expected.state(0));
    }
  }
}

}  // namespace lo::test
