// Problems side by side: the step in lanes against the optimizer's own and against double, and the reverse of a step
// against finite differences and against double. Portable kernels have no lanes.
#include <algorithm>
#include <cmath>

#include "../lanes.h"
#include "support.h"

namespace lo::test {

namespace {

struct Case {
  Config config;
  int levels, tensorHidden, globalHidden;
  bool shortcut;
  std::vector<int> lengths;
  std::uint64_t seed;

  LaneModel model() const { return makeLaneModel(config, levels, tensorHidden, globalHidden, shortcut); }
  LaneProblem problem() const {
    int coordinates = 0;
    for (const int n : lengths) coordinates += n;
    return {lengths.data(), static_cast<int>(lengths.size()), coordinates};
  }
  std::size_t coordinates() const { return static_cast<std::size_t>(problem().coordinates); }
  std::string name() const {
    return describe(config) + " levels " + text(levels) + " tensors " + text(lengths.size()) + " seed " + text(seed);
  }
};

Config bounded(Config config, double maxLogRate) {
  config.maxLogLearningRate = maxLogRate;
  return config;
}

// Architectures with a compiled-in shape and others; numbers of coordinates and tensors that fill groups of 4 and 2,
// and that leave some over.
std::vector<Case> cases() {
  const unsigned absolute = kPaperInputs | kAbsoluteLearningRate;
  return {
      {presetConfig(), 3, 7, 5, true, {1}, 1},
      {presetConfig(), 3, 20, 20, true, {5, 1, 3}, 2},
      {bounded(makeConfig(6, 4, absolute), -1), 3, 4, 3, true, {4, 2}, 3},
      {makeConfig(10, 4, kPaperInputs), 3, 5, 3, true, {3, 1, 7, 2, 1}, 4},
      {makeConfig(10, 4, absolute), 2, 6, 0, true, {9}, 5},
      {makeConfig(10, 4, kPaperInputs | kAttention), 3, 3, 4, true, {2, 3}, 6},
      {makeConfig(3, 2, 0xff), 3, 3, 2, false, {3, 2, 1}, 7},
      {makeConfig(5, 5, 0xff & ~static_cast<unsigned>(kTensorLearningRateMean)), 2, 1, 0, true, {1, 6}, 8},
      {makeConfig(1, 1, 0), 1, 0, 0, false, {1}, 9},
      {makeConfig(4, 3, kExtremeRateIndicator | kAttention), 1, 0, 0, true, {7, 1}, 10},
      {makeConfig(32, 5, 0xff), 3, 33, 17, true, {3}, 11},
      {makeConfig(6, 4, absolute | kAlgebraicActivations), 3, 7, 5, true, {5, 1, 3}, 12},
      {makeConfig(5, 3, absolute | kAlgebraicActivations), 3, 6, 4, true, {4, 2}, 13},
      {makeConfig(4, 5, 0x1ff), 3, 3, 2, true, {2, 3}, 14},
      {makeConfig(2, 1, kAlgebraicActivations), 1, 0, 0, false, {2}, 15},
      {makeConfig(6, 4, absolute | kUnscaledInputs), 3, 7, 5, true, {5, 1, 3}, 16},
      {makeConfig(6, 4, absolute | kAlgebraicActivations | kUnscaledInputs), 3, 4, 3, true, {4, 2}, 17},
      {makeConfig(3, 3, 0x2ff), 2, 3, 0, false, {2, 3}, 18},
      {makeConfig(4, 5, 0x3ff), 3, 3, 2, true, {3, 1}, 19},
      {makeConfig(2, 1, kUnscaledInputs), 1, 0, 0, true, {2}, 20},
  };
}

// One problem: everything that goes into a step and its reverse. All values are floats.
struct Problem {
  std::vector<double> weights, state, gradient, adjoint;
};

// Values of order 1 throughout, so that one unit fits all differences; gradients are so after their scale. With `fresh`
// no step has been taken.
Problem draw(const Case& c, std::uint64_t seed, bool fresh) {
  Random random(seed);
  const auto number = [&random](double size) {
    return static_cast<double>(static_cast<float>(size * random.normal()));
  };
  const LaneModel m = c.model();
  const LaneProblem p = c.problem();
  Problem q;
  for (int k = 0; k < m.metaParameters; ++k) q.weights.push_back(number(0.3));
  // Decays of the averages around 0.9, so that the old ones matter.
  q.weights[static_cast<std::size_t>(m.offset[kScaleDecayBias])] += 2;
  if (m.offset[kInputDecayBias] >= 0) q.weights[static_cast<std::size_t>(m.offset[kInputDecayBias])] += 2;
  for (std::size_t i = 0; i < c.coordinates(); ++i) {
    for (int j = 0; j < c.config.hidden; ++j) q.state.push_back(std::max(-0.99, std::min(0.99, number(0.5))));
    for (int s = 0; s < c.config.timescales; ++s) q.state.push_back(fresh ? 0 : number(1));
    for (int s = 0; s < c.config.timescales; ++s) q.state.push_back(fresh ? 0 : 0.5 + std::abs(number(1)));
    q.state.push_back(std::min(c.config.maxLogLearningRate, -1 + number(0.5)));
    q.gradient.push_back(number(1) / c.config.gradientScale);
  }
  while (q.state.size() < laneStateEntries(m, p)) q.state.push_back(number(0.5));
  for (std::size_t k = 0; k < q.state.size(); ++k) q.adjoint.push_back(number(1));
  return q;
}

// As many problems as a block has lanes; every fourth is fresh. Lanes share their weights in the reverse pass.
std::vector<Problem> drawBlock(const Case& c, std::size_t width, std::size_t block, bool ownWeights) {
  std::vector<Problem> problems;
  for (std::size_t lane = 0; lane < width; ++lane) {
    problems.push_back(draw(c, 1000 * c.seed + 50 * block + lane, lane % 4 == 1));
    if (!ownWeights) problems.back().weights = problems.front().weights;
  }
  return problems;
}

// Field of all problems, [entries][lanes].
template <class T>
std::vector<T> interleave(const std::vector<Problem>& problems, std::vector<double> Problem::*field) {
  std::vector<T> out;
  for (std::size_t i = 0; i < (problems.front().*field).size(); ++i) {
    for (const Problem& q : problems) out.push_back(static_cast<T>((q.*field)[i]));
  }
  return out;
}

template <class T>
std::vector<double> laneOf(const std::vector<T>& block, std::size_t width, std::size_t lane) {
  std::vector<double> out;
  for (std::size_t i = lane; i < block.size(); i += width) out.push_back(static_cast<double>(block[i]));
  return out;
}

template <class T>
std::vector<T> step(const Kernels<T>& kernels, const Case& c, const std::vector<Problem>& problems, bool ownWeights) {
  const LaneModel m = c.model();
  const auto weights = interleave<T>(ownWeights ? problems : std::vector<Problem>{problems.front()}, &Problem::weights);
  const auto state = interleave<T>(problems, &Problem::state), gradient = interleave<T>(problems, &Problem::gradient);
  std::vector<T> next(state.size(), T(99));
  kernels.laneStep({&m, c.problem(), weights.data(), ownWeights, state.data(), gradient.data(), next.data()});
  return next;
}

std::vector<double> exactStep(const Case& c, const Problem& q) { return step(*referenceKernels(), c, {q}, false); }

// What a reverse step computes.
template <class T>
struct Adjoints {
  std::vector<T> state, gradient, weights;
};

// Adjoints of the weights are added to what is there: to `start`.
template <class T>
Adjoints<T> reverse(const Kernels<T>& kernels, const Case& c, const std::vector<Problem>& problems, T start) {
  const LaneModel m = c.model();
  const std::size_t width = problems.size();
  const auto weights = interleave<T>({problems.front()}, &Problem::weights);
  const auto state = interleave<T>(problems, &Problem::state), gradient = interleave<T>(problems, &Problem::gradient);
  Adjoints<T> a{interleave<T>(problems, &Problem::adjoint), std::vector<T>(gradient.size(), T(99)),
                std::vector<T>(static_cast<std::size_t>(m.metaParameters) * width, start)};
  kernels.laneBackward({&m, c.problem(), weights.data(), state.data(), gradient.data(), a.state.data(),
                        a.gradient.data(), a.weights.data()});
  return a;
}

double norm(const std::vector<double>& v) {
  double squares = 0;
  for (const double x : v) squares += x * x;
  return std::sqrt(squares);
}

// ‖a − b‖/‖b‖
double relativeError(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> difference;
  for (std::size_t i = 0; i < b.size(); ++i) difference.push_back(a[i] - b[i]);
  const double error = norm(difference);
  return error == 0 ? 0 : std::isfinite(error) ? error / norm(b) : INFINITY;
}

std::vector<const Kernels<float>*> kernelsWithLanes() {
  std::vector<const Kernels<float>*> list;
  for (const Kernels<float>* kernels : testedKernels()) {
    if (kernels->laneStep != nullptr) list.push_back(kernels);
  }
  return list;
}

// The parameter level alone, as an optimizer that steps single problems has it.
CellWeights cellWeights(const Case& c, const Problem& q) {
  const LaneModel m = c.model();
  const std::size_t H = static_cast<std::size_t>(c.config.hidden), S = static_cast<std::size_t>(c.config.timescales);
  const std::size_t rows = H + static_cast<std::size_t>(c.config.inputs());
  const auto part = [&](MetaParameter parameter, std::size_t n) {
    const int offset = m.offset[parameter];
    if (offset < 0) return std::vector<double>(n, 0.0);
    return std::vector<double>(q.weights.begin() + offset, q.weights.begin() + offset + static_cast<std::ptrdiff_t>(n));
  };
  CellWeights w;
  w.config = c.config;
  w.gates = part(kParameterGatesMatrix, rows * 2 * H);
  w.candidate = part(kParameterCandidateMatrix, rows * H);
  w.initialHidden = part(kParameterInitialHidden, H);
  w.updateReadout = part(kUpdateReadout, H);
  w.updateShortcut = part(kUpdateShortcut, S);
  w.attentionReadout = part(kAttentionReadout, H);
  w.attentionShortcut = part(kAttentionShortcut, S);
  w.scaleDecayReadout = part(kScaleDecayReadout, H);
  w.inputDecayReadout = part(kInputDecayReadout, H);
  w.rateReadout = part(kLearningRateReadout, H);
  w.scaleDecayBias = part(kScaleDecayBias, 1)[0];
  w.inputDecayBias = part(kInputDecayBias, 1)[0];
  w.rateBias = part(kLearningRateBias, 1)[0];
  w.rateMomentum = 1 / (1 + std::exp(-part(kMomentumLogit, 1)[0]));
  w.stepOffset = part(kStepSizeOffset, 1)[0];
  return w;
}

// One step of `Optimizer` from a lane's state, as the lane's new state. One level.
std::vector<double> optimizerStep(const Case& c, const Problem& q) {
  const LaneModel m = c.model();
  const std::size_t H = static_cast<std::size_t>(c.config.hidden), S = static_cast<std::size_t>(c.config.timescales);
  const std::size_t fields = static_cast<std::size_t>(c.config.fields()), thetaAt = c.coordinates() * fields;
  const std::size_t pointAt = thetaAt + (c.config.attention() ? c.coordinates() : 0);
  const std::vector<std::size_t> lengths(c.lengths.begin(), c.lengths.end());
  Run<double> run(cellWeights(c, q), referenceKernels(), 1, lengths);
  run.biases.clear();
  std::vector<std::vector<double>> gradients;
  std::size_t first = 0;
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    const double* gates = q.weights.data() + m.offset[kParameterGatesBias];
    const double* candidate = q.weights.data() + m.offset[kParameterCandidateBias];
    run.biases.insert(run.biases.end(), gates, gates + 2 * H);
    run.biases.insert(run.biases.end(), candidate, candidate + H);
    State<double> s;
    std::vector<double> gradient;
    for (std::size_t i = first; i < first + lengths[t]; ++i) {
      const double* cell = q.state.data() + i * fields;
      s.hidden.insert(s.hidden.end(), cell, cell + H);
      s.momentum.insert(s.momentum.end(), cell + H, cell + H + S);
      s.scale.insert(s.scale.end(), cell + H + S, cell + H + 2 * S);
      s.logRate.push_back(cell[fields - 1]);
      if (c.config.attention()) s.position.push_back(q.state[thetaAt + i]);
      run.parameters[t][i - first] = q.state[pointAt + i];
      gradient.push_back(q.gradient[i]);
    }
    run.setState(t, s);
    gradients.push_back(gradient);
    first += lengths[t];
  }
  run.step(gradients);
  std::vector<double> next(q.state.size());
  first = 0;
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    const State<double> s = run.state(t);
    for (std::size_t i = 0; i < lengths[t]; ++i) {
      double* cell = next.data() + (first + i) * fields;
      for (std::size_t j = 0; j < H; ++j) cell[j] = s.hidden[i * H + j];
      for (std::size_t j = 0; j < S; ++j) cell[H + j] = s.momentum[i * S + j];
      for (std::size_t j = 0; j < S; ++j) cell[H + S + j] = s.scale[i * S + j];
      cell[fields - 1] = s.logRate[i];
      next[pointAt + first + i] = run.parameters[t][i];
      if (c.config.attention()) next[thetaAt + first + i] = s.position[i];
    }
    first += lengths[t];
  }
  return next;
}

// Largest |a − b|, in units of max(1, |b|).
double largestError(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double error = std::abs(a[i] - b[i]) / std::max(1.0, std::abs(b[i]));
    if (!(error <= worst)) worst = std::isnan(error) ? INFINITY : error;
  }
  return worst;
}

}  // namespace

TEST("a step in lanes in double equals the optimizer's own, for one level") {
  double worst = 0;
  for (Case c : cases()) {
    c.levels = 1;
    for (const bool fresh : {false, true}) {
      const Problem q = draw(c, 70 + c.seed, fresh);
      const double error = largestError(exactStep(c, q), optimizerStep(c, q));
      CHECK_AT_MOST(error, 1e-13, c.name());
      worst = std::max(worst, error);
    }
  }
  report("largest difference %.2g", worst);
}

TEST("steps in lanes in float agree with steps in double: 1 and 3 blocks, common weights and weights of each lane") {
  for (const Kernels<float>* kernels : kernelsWithLanes()) {
    const std::size_t width = static_cast<std::size_t>(kernels->laneWidth);
    double worst = 0;
    for (const Case& c : cases()) {
      for (const std::size_t blocks : {1u, 3u}) {
        for (std::size_t block = 0; block < blocks; ++block) {
          const bool ownWeights = (block + c.seed + blocks) % 2 == 0;
          const auto problems = drawBlock(c, width, block, ownWeights);
          const auto next = step(*kernels, c, problems, ownWeights);
          for (std::size_t lane = 0; lane < width; lane += kQuick ? 5 : 1) {
            const double error = largestError(laneOf(next, width, lane), exactStep(c, problems[lane]));
            // Errors of the inputs, some 1e-6, pass through weights of norm about 1 in every level.
            CHECK_AT_MOST(error, 2e-5, std::string(kernels->isa) + ", " + c.name() + " lane " + text(lane));
            worst = std::max(worst, error);
          }
        }
      }
    }
    report("%-8s largest difference %.2g", kernels->isa, worst);
  }
}

TEST("a problem's step has the same bits in every lane, and in place") {
  for (const Kernels<float>* kernels : kernelsWithLanes()) {
    const std::size_t width = static_cast<std::size_t>(kernels->laneWidth);
    for (const Case& c : cases()) {
      auto problems = drawBlock(c, width, 0, true);
      const LaneModel m = c.model();
      const auto expected = step(*kernels, c, problems, true);
      auto state = interleave<float>(problems, &Problem::state);
      const auto weights = interleave<float>(problems, &Problem::weights);
      const auto gradient = interleave<float>(problems, &Problem::gradient);
      kernels->laneStep({&m, c.problem(), weights.data(), true, state.data(), gradient.data(), state.data()});
      CHECK_SAME_BITS(state, expected);
      std::rotate(problems.begin(), problems.begin() + 5, problems.end());
      const auto rotated = step(*kernels, c, problems, true);
      for (const std::size_t lane : {std::size_t(0), std::size_t(3), width - 1}) {
        CHECK_SAME_BITS(laneOf(rotated, width, lane), laneOf(expected, width, (lane + 5) % width));
      }
    }
  }
}

TEST("the reverse of a step in double equals finite differences of the step where no rate is bounded") {
  double worst = 0;
  for (Case c : cases()) {
    // The bound passes its adjoint straight through, unlike the differences.
    c.config = bounded(c.config, 33);
    // Algebraic activations bend at 0, where differences see a bit of both sides.
    const double allowed = (c.config.flags & kAlgebraicActivations) != 0 ? 1e-6 : 2e-8;
    // Where there are many meta-parameters, some of them.
    const std::size_t stride = 1 + static_cast<std::size_t>(c.model().metaParameters) / (kQuick ? 100 : 1500);
    for (const bool fresh : {false, true}) {
      const Problem q = draw(c, 80 + c.seed, fresh);
      const auto objective = [&](const Problem& at) {
        const auto next = exactStep(c, at);
        double sum = 0;
        for (std::size_t k = 0; k < next.size(); ++k) sum += q.adjoint[k] * next[k];
        return sum;
      };
      const Adjoints<double> a = reverse(*referenceKernels(), c, {q}, 0.5);
      Problem moved = q;
      const auto compare = [&](std::vector<double> Problem::*field, std::size_t k, double unit, double adjoint) {
        const double h = 1e-5 * unit, value = (q.*field)[k];
        (moved.*field)[k] = value + h;
        const double up = objective(moved);
        (moved.*field)[k] = value - h;
        const double difference = (up - objective(moved)) / (2 * h);
        (moved.*field)[k] = value;
        const double error = std::abs(adjoint - difference) * unit / (norm(q.adjoint) + std::abs(adjoint) * unit);
        CHECK_AT_MOST(error, allowed, c.name() + " entry " + text(k) + ": " + text(adjoint) + ", " + text(difference));
        worst = std::max(worst, error);
      };
      for (std::size_t k = 0; k < q.weights.size(); k += stride) compare(&Problem::weights, k, 1, a.weights[k] - 0.5);
      const double gradientUnit = 1 / c.config.gradientScale;
      for (std::size_t k = 0; k < q.gradient.size(); ++k) compare(&Problem::gradient, k, gradientUnit, a.gradient[k]);
      const std::size_t fields = static_cast<std::size_t>(c.config.fields()), cells = c.coordinates() * fields;
      for (std::size_t k = 0; k < q.state.size(); ++k) {
        const std::size_t field = k % fields;
        const std::size_t H = static_cast<std::size_t>(c.config.hidden);
        const bool average = k < cells && field >= H && field + 1 < fields;
        // The step does not see the averages of a coordinate that has none (λ = 0), nor a momentum that is no average.
        if ((fresh && average) || (c.config.timescales == 1 && field == H && k < cells)) {
          CHECK_EQUAL(a.state[k], 0.0);
        } else {
          compare(&Problem::state, k, 1, a.state[k]);
        }
      }
    }
  }
  report("largest difference %.2g", worst);
}

TEST("reverse steps in float agree with those in double: 1 and 3 blocks") {
  for (const Kernels<float>* kernels : kernelsWithLanes()) {
    const std::size_t width = static_cast<std::size_t>(kernels->laneWidth);
    double worst = 0, worstAlone = 0;
    for (const Case& c : cases()) {
      // θ − raw/rms does not depend on the size of a lone coordinate's direction: its adjoint is the difference of two
      // numbers that are equal but for rounding, and large where d is small.
      const bool alone = std::find(c.lengths.begin(), c.lengths.end(), 1) != c.lengths.end();
      for (std::size_t block = 0; block < 3; ++block) {
        const auto problems = drawBlock(c, width, block, false);
        const Adjoints<float> a = reverse(*kernels, c, problems, 0.0f);
        for (std::size_t lane = 0; lane < width; lane += kQuick ? 5 : 1) {
          const Adjoints<double> b = reverse(*referenceKernels(), c, {problems[lane]}, 0.0);
          for (const double error : {relativeError(laneOf(a.state, width, lane), b.state),
                                     relativeError(laneOf(a.gradient, width, lane), b.gradient),
                                     relativeError(laneOf(a.weights, width, lane), b.weights)}) {
            const double bound = alone ? 1e-3 : 1e-5;
            CHECK_AT_MOST(error, bound, std::string(kernels->isa) + ", " + c.name() + " lane " + text(lane));
            (alone ? worstAlone : worst) = std::max(alone ? worstAlone : worst, error);
          }
        }
      }
    }
    report("%-8s largest difference %.2g, with tensors of one coordinate %.2g", kernels->isa, worst, worstAlone);
  }
}

}  // namespace lo::test
