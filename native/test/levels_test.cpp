// The levels above the parameters: every kernel against the double reference, and what they make of tensors that do not
// advance, of the number of threads, and of each other's company.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "random_levels.h"
#include "support.h"
#include "../levels.h"

namespace lo::test {

namespace {

Sizes randomSizes(Random& random) {
  const auto from1 = [&](std::size_t most) { return static_cast<int>(1 + random.below(most)); };
  return {from1(3), from1(kMaxHidden), from1(kMaxInputs), from1(40), from1(40)};
}

std::string describe(const Sizes& s, std::size_t count, const char* isa) {
  return std::string(isa) + ", " + text(s.levels) + " levels, hidden " + text(s.parameter) + "/" + text(s.tensor) + "/" +
         text(s.global) + ", inputs " + text(s.inputs) + ", " + text(count) + " tensors";
}

// Levels with tensors 0, 1, 2, …
template <class T>
struct LevelRun {
  Levels<T> levels;
  std::vector<int> handles;

  LevelRun(const LevelWeights& weights, const Kernels<T>* kernels, unsigned threads, const Sizes& s, std::size_t count)
      : levels(weights, kernels, threads, s.parameter + s.inputs), handles(count) {
    std::iota(handles.begin(), handles.end(), 0);
    for (int handle : handles) levels.add(handle);
  }
  std::vector<double> biases(const Sizes& s) {
    levels.reserve(handles.data(), handles.size());
    const double* b = levels.biases();
    return {b, b + handles.size() * 3 * static_cast<std::size_t>(s.parameter)};
  }
  std::vector<T> state(int handle) {
    const T* p = levels.tensorState(handle);
    return p == nullptr ? std::vector<T>() : std::vector<T>(p, p + levels.tensorHidden());
  }
  std::vector<T> global() { return {levels.globalState(), levels.globalState() + levels.globalHidden()}; }
};

struct Means {
  std::vector<double> means, advanced;

  Means(const Sizes& s, std::size_t count, Random& random, double idleShare = 0.1) {
    const std::size_t width = static_cast<std::size_t>(s.parameter + s.inputs);
    for (std::size_t i = 0; i < count * width; ++i) means.push_back(3 * random.normal());
    for (std::size_t t = 0; t < count; ++t) advanced.push_back(random.uniform() < idleShare ? 0 : 5);
  }
};

// Largest difference in units of single precision's last place, numbers below 2^-10 measured as if they were that large.
double floatUlps(const std::vector<float>& actual, const std::vector<double>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const int exponent = std::ilogb(std::max(std::abs(expected[i]), 0x1p-10));
    worst = std::max(worst, std::abs(static_cast<double>(actual[i]) - expected[i]) / std::ldexp(1.0, exponent - 23));
  }
  return worst;
}

double largestDifference(const std::vector<float>& a, const std::vector<double>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  return worst;
}

void copyState(LevelRun<float>& from, LevelRun<double>& to) {
  for (int handle : from.handles) {
    const std::vector<float> state = from.state(handle);
    std::copy(state.begin(), state.end(), to.levels.tensorState(handle));
  }
  const std::vector<float> global = from.global();
  std::copy(global.begin(), global.end(), to.levels.globalState());
}

}  // namespace

TEST("the levels above of every kernel are those of the double reference, rounded once") {
  for (const Kernels<float>* kernels : testedKernels()) {
    Random random(21);
    double worstBias = 0, worstState = 0;
    for (int round = 0; round < (kQuick ? 6 : 40); ++round) {
      const Sizes s = randomSizes(random);
      const std::size_t count = 1 + random.below(40);
      const LevelWeights weights = randomLevels(s, random);
      LevelRun<float> actual(weights, kernels, 1, s, count);
      LevelRun<double> reference(weights, referenceKernels(), 1, s, count);
      for (int step = 0; step < 4; ++step) {
        copyState(actual, reference);
        const std::vector<double> a = actual.biases(s), b = reference.biases(s);
        for (std::size_t i = 0; i < a.size(); ++i) {
          worstBias = std::max(worstBias, std::abs(a[i] - b[i]) / std::max(1.0, std::abs(b[i])));
        }
        const Means m(s, count, random);
        actual.levels.advance(m.means.data(), m.advanced.data());
        reference.levels.advance(m.means.data(), m.advanced.data());
        double error = 0;
        for (int handle : actual.handles) error = std::max(error, floatUlps(actual.state(handle), reference.state(handle)));
        CHECK_AT_MOST(error, 0.5001, describe(s, count, kernels->isa));
        worstState = std::max(worstState, error);
        // It sees the tensor states as they are stored, rounded.
        CHECK_AT_MOST(largestDifference(actual.global(), reference.global()), 1e-6, describe(s, count, kernels->isa));
      }
    }
    report("%-8s bias %.3g, tensor state %.5g ulp of single precision", kernels->isa, worstBias, worstState);
    CHECK_AT_MOST(worstBias, 1e-13, kernels->isa);
  }
}

TEST("the levels above give the same bits for any number of threads") {
  const Sizes s{3, 6, 13, 20, 20};
  constexpr std::size_t count = 500;
  for (const Kernels<float>* kernels : testedKernels()) {
    for (const unsigned threads : {2u, 3u, 8u}) {
      Random random(22);
      const LevelWeights weights = randomLevels(s, random);
      LevelRun<float> many(weights, kernels, threads, s, count), one(weights, kernels, 1, s, count);
      for (int step = 0; step < 5; ++step) {
        CHECK_SAME_BITS(many.biases(s), one.biases(s));
        const Means m(s, count, random);
        many.levels.advance(m.means.data(), m.advanced.data());
        one.levels.advance(m.means.data(), m.advanced.data());
      }
      for (int handle : one.handles) CHECK_SAME_BITS(many.state(handle), one.state(handle));
      CHECK_SAME_BITS(many.global(), one.global());
    }
  }
}

TEST("a tensor's state has the same bits alone and in the company of others") {
  const Sizes s{2, 6, 13, 20, 0};
  constexpr std::size_t count = 21;
  for (const Kernels<float>* kernels : testedKernels()) {
    Random random(23);
    const LevelWeights weights = randomLevels(s, random);
    const Means m(s, count, random, 0);
    LevelRun<float> together(weights, kernels, 1, s, count);
    const std::vector<double> biases = together.biases(s);
    together.levels.advance(m.means.data(), m.advanced.data());
    for (std::size_t t = 0; t < count; ++t) {
      LevelRun<float> alone(weights, kernels, 1, s, 1);
      const std::size_t width = static_cast<std::size_t>(s.parameter + s.inputs), biasWidth = 3 * 6;
      const auto first = biases.begin() + static_cast<std::ptrdiff_t>(t * biasWidth);
      CHECK_SAME_BITS(alone.biases(s), (std::vector<double>(first, first + biasWidth)));
      alone.levels.advance(m.means.data() + t * width, m.advanced.data() + t);
      CHECK_SAME_BITS(alone.state(0), together.state(static_cast<int>(t)));
    }
  }
}

TEST("a tensor that does not advance keeps its state and counts in no mean") {
  const Sizes s{3, 6, 13, 20, 20};
  for (const Kernels<float>* kernels : testedKernels()) {
    Random random(24);
    const LevelWeights weights = randomLevels(s, random);
    Means m(s, 3, random, 0);
    m.advanced[2] = 0;
    LevelRun<float> three(weights, kernels, 1, s, 3), two(weights, kernels, 1, s, 2);
    const std::vector<float> start = three.state(2), globalStart = three.global();
    for (LevelRun<float>* run : {&three, &two}) {
      run->biases(s);
      run->levels.advance(m.means.data(), m.advanced.data());
    }
    CHECK_SAME_BITS(three.state(2), start);
    CHECK_SAME_BITS(three.state(1), two.state(1));
    CHECK_SAME_BITS(three.global(), two.global());
    CHECK(three.state(1) != start && three.global() != globalStart);

    const std::vector<double> none(3, 0.0);
    const std::vector<float> before = three.global();
    three.levels.advance(m.means.data(), none.data());
    CHECK_SAME_BITS(three.global(), before);
  }
}

}  // namespace lo::test
