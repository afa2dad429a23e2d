// The corpus's objectives in lanes: gradients against finite differences in double, and float against double.
#include <algorithm>
#include <cmath>

#include "../lane_objectives.h"
#include "support.h"

namespace lo::test {

namespace {

// One problem's arrays. All values are floats.
struct Data {
  std::vector<double> matrix, target, exponent, x;
};

// Value first, the gradient behind it.
using Result = std::vector<double>;

std::vector<double> draw(Random& random, int n) {
  std::vector<double> v;
  for (int i = 0; i < n; ++i) v.push_back(static_cast<double>(static_cast<float>(random.normal())));
  return v;
}

template <class T>
std::vector<T> interleave(const std::vector<Data>& problems, std::vector<double> Data::*field) {
  std::vector<T> out;
  for (std::size_t i = 0; i < (problems.front().*field).size(); ++i) {
    for (const Data& d : problems) out.push_back(static_cast<T>((d.*field)[i]));
  }
  return out;
}

template <class T>
std::vector<Result> results(const std::vector<T>& value, const std::vector<T>& gradient) {
  std::vector<Result> all;
  for (std::size_t lane = 0; lane < value.size(); ++lane) {
    all.push_back({static_cast<double>(value[lane])});
    for (std::size_t i = lane; i < gradient.size(); i += value.size()) {
      all.back().push_back(static_cast<double>(gradient[i]));
    }
  }
  return all;
}

// An objective on problems that differ in their data: of each lane its value and gradient at `x`.
struct Objective {
  virtual ~Objective() = default;
  virtual std::string name() const = 0;
  virtual Data draw(Random& random) const = 0;
  virtual std::vector<Result> on(const Kernels<float>&, const std::vector<Data>& problems, bool gradient) const = 0;
  virtual std::vector<Result> on(const Kernels<double>&, const std::vector<Data>& problems, bool gradient) const = 0;
};

struct Residuals final : Objective {
  int rows, columns;
  double exponent;
  Residuals(int rows_, int columns_, double exponent_) : rows(rows_), columns(columns_), exponent(exponent_) {}

  std::string name() const override {
    return "residuals " + text(rows) + "x" + text(columns) + " to the power of " + text(exponent);
  }
  Data draw(Random& random) const override {
    Data d;
    d.matrix = test::draw(random, rows * columns);
    d.target = test::draw(random, rows);
    d.x = test::draw(random, columns);
    d.exponent = {static_cast<double>(static_cast<float>(exponent))};
    return d;
  }
  template <class T>
  std::vector<Result> run(const Kernels<T>& kernels, const std::vector<Data>& problems, bool withGradient) const {
    const auto matrix = interleave<T>(problems, &Data::matrix), target = interleave<T>(problems, &Data::target);
    const auto power = interleave<T>(problems, &Data::exponent), x = interleave<T>(problems, &Data::x);
    std::vector<T> value(problems.size(), T(99)), gradient(withGradient ? x.size() : 0, T(99));
    kernels.laneResiduals({rows, columns, matrix.data(), target.data(), power.data(), x.data(), value.data(),
                           withGradient ? gradient.data() : nullptr});
    return results(value, gradient);
  }
  std::vector<Result> on(const Kernels<float>& k, const std::vector<Data>& p, bool g) const override {
    return run(k, p, g);
  }
  std::vector<Result> on(const Kernels<double>& k, const std::vector<Data>& p, bool g) const override {
    return run(k, p, g);
  }
};

struct Regression final : Objective {
  int inputs, outputs, samples;
  LaneRegressionLoss loss;
  std::vector<int> indices;  // empty: all samples in order
  Regression(int inputs_, int outputs_, int samples_, LaneRegressionLoss loss_, std::vector<int> indices_)
      : inputs(inputs_), outputs(outputs_), samples(samples_), loss(loss_), indices(std::move(indices_)) {}

  std::string name() const override {
    return "regression " + text(inputs) + " to " + text(outputs) + " with loss " + text(static_cast<int>(loss)) +
           (indices.empty() ? " on all samples" : " on a minibatch");
  }
  Data draw(Random& random) const override {
    Data d;
    d.matrix = test::draw(random, samples * inputs);
    if (loss == kSquaredError) {
      d.target = test::draw(random, samples * outputs);
    } else {
      const std::size_t classes = static_cast<std::size_t>(outputs);
      for (int s = 0; s < samples; ++s) d.target.push_back(static_cast<double>(random.below(classes)));
    }
    d.x = test::draw(random, inputs * outputs + outputs);
    d.exponent = {static_cast<double>(loss)};
    return d;
  }
  template <class T>
  std::vector<Result> run(const Kernels<T>& kernels, const std::vector<Data>& problems, bool withGradient) const {
    const auto x = interleave<T>(problems, &Data::matrix), target = interleave<T>(problems, &Data::target);
    const auto kind = interleave<T>(problems, &Data::exponent), parameters = interleave<T>(problems, &Data::x);
    std::vector<T> value(problems.size(), T(99)), gradient(withGradient ? parameters.size() : 0, T(99));
    const int count = indices.empty() ? samples : static_cast<int>(indices.size());
    kernels.laneRegression({inputs, outputs, kind.data(), x.data(), target.data(),
                            indices.empty() ? nullptr : indices.data(), count, parameters.data(), value.data(),
                            withGradient ? gradient.data() : nullptr});
    return results(value, gradient);
  }
  std::vector<Result> on(const Kernels<float>& k, const std::vector<Data>& p, bool g) const override {
    return run(k, p, g);
  }
  std::vector<Result> on(const Kernels<double>& k, const std::vector<Data>& p, bool g) const override {
    return run(k, p, g);
  }
};

// Calls body(objective) for sizes that fill pairs of columns and that do not, down to single entries.
template <class Body>
void forEachObjective(Body&& body) {
  for (const double exponent : {2.0, 1.3, 0.7}) {
    body(Residuals(7, 5, exponent));
    body(Residuals(1, 1, exponent));
    body(Residuals(4, 6, exponent));
  }
  for (const LaneRegressionLoss loss : {kSoftmaxCrossEntropy, kBrier, kSquaredError}) {
    body(Regression(3, 4, 9, loss, {8, 2, 2, 5}));
    body(Regression(3, 4, 9, loss, {}));
    body(Regression(1, 1, 1, loss, {}));
    body(Regression(5, kMaxRegressionOutputs, 3, loss, {1}));
  }
}

double norm(const std::vector<double>& v) {
  double squares = 0;
  for (const double x : v) squares += x * x;
  return std::sqrt(squares);
}

}  // namespace

TEST("gradients of the objectives in double equal finite differences of their values") {
  double worst = 0;
  forEachObjective([&](const Objective& objective) {
    Random random(51);
    for (int problem = 0; problem < 3; ++problem) {
      const Data data = objective.draw(random);
      const auto valueAt = [&](const Data& at) { return objective.on(*referenceKernels(), {at}, false)[0][0]; };
      const Result exact = objective.on(*referenceKernels(), {data}, true)[0];
      CHECK_EQUAL(exact[0], valueAt(data));
      for (std::size_t i = 0; i < data.x.size(); ++i) {
        const double h = 1e-6;
        Data up = data, down = data;
        up.x[i] += h;
        down.x[i] -= h;
        const double difference = (valueAt(up) - valueAt(down)) / (2 * h);
        const double error = std::abs(exact[i + 1] - difference) / (norm(exact) + 1e-3);
        CHECK_AT_MOST(error, 1e-7, objective.name() + " entry " + text(i));
        worst = std::max(worst, error);
      }
    }
  });
  report("largest difference %.2g", worst);
}

TEST("objectives in float agree with those in double, problem by problem in 1 and 3 blocks") {
  for (const Kernels<float>* kernels : testedKernels()) {
    if (kernels->laneResiduals == nullptr) continue;
    double worst = 0;
    forEachObjective([&](const Objective& objective) {
      for (const int blocks : {1, 3}) {
        Random random(60 + static_cast<std::uint64_t>(blocks));
        for (int block = 0; block < blocks; ++block) {
          std::vector<Data> problems;
          for (int lane = 0; lane < kernels->laneWidth; ++lane) problems.push_back(objective.draw(random));
          const auto alone = objective.on(*kernels, problems, false), all = objective.on(*kernels, problems, true);
          for (std::size_t lane = 0; lane < problems.size(); ++lane) {
            const Result exact = objective.on(*referenceKernels(), {problems[lane]}, true)[0];
            CHECK_EQUAL(alone[lane][0], all[lane][0]);
            std::vector<double> difference;
            for (std::size_t i = 0; i < exact.size(); ++i) difference.push_back(all[lane][i] - exact[i]);
            const double error = norm(difference) / (norm(exact) + 1e-3);
            CHECK_AT_MOST(error, 2e-5, std::string(kernels->isa) + ", " + objective.name() + " lane " + text(lane));
            worst = std::max(worst, error);
          }
        }
      }
    });
    report("%-8s largest difference %.2g", kernels->isa, worst);
  }
}

TEST("cross entropy and Brier loss may share a block, each in its lanes") {
  for (const Kernels<float>* kernels : testedKernels()) {
    if (kernels->laneRegression == nullptr) continue;
    const Regression entropy(3, 4, 5, kSoftmaxCrossEntropy, {}), brier(3, 4, 5, kBrier, {});
    Random random(71);
    std::vector<Data> problems;
    for (int lane = 0; lane < kernels->laneWidth; ++lane) {
      problems.push_back((lane % 3 == 0 ? brier : entropy).draw(random));
    }
    const auto mixed = entropy.run(*kernels, problems, true);
    for (Data& d : problems) d.exponent = {static_cast<double>(kBrier)};
    const auto allBrier = entropy.run(*kernels, problems, true);
    for (Data& d : problems) d.exponent = {static_cast<double>(kSoftmaxCrossEntropy)};
    const auto allEntropy = entropy.run(*kernels, problems, true);
    for (std::size_t lane = 0; lane < problems.size(); ++lane) {
      CHECK_SAME_BITS(mixed[lane], (lane % 3 == 0 ? allBrier : allEntropy)[lane]);
    }
  }
}

TEST("diverged problems give large finite residual sums and gradients") {
  for (const Kernels<float>* kernels : testedKernels()) {
    if (kernels->laneResiduals == nullptr) continue;
    const Residuals objective(3, 2, 2);
    Random random(81);
    std::vector<Data> problems;
    for (int lane = 0; lane < kernels->laneWidth; ++lane) problems.push_back(objective.draw(random));
    const auto undisturbed = objective.run(*kernels, problems, true);
    problems[3].x = {1e30, -1e30};
    const auto all = objective.run(*kernels, problems, true);
    CHECK(allFinite(all[3]));
    CHECK(all[3][0] > 1e20);
    CHECK_SAME_BITS(all[2], undisturbed[2]);
  }
}

}  // namespace lo::test
