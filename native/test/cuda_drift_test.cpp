// A thousand steps behind the C interface of native/cuda on a small network that learns, against the CPU in single precision
// and the reference in double.
#include <cmath>

#include "cuda_compare.h"
#include "model_files.h"

namespace lo::test {

namespace {

constexpr int kInputs = 6, kUnits = 12, kExamples = 200;

// Mean ½(v·tanh(W x + b) + c − y)² over examples that another such network made; tensors W, b, v, c. In double, whatever the
// parameters are in.
class Problem {
 public:
  Problem() {
    Random random(61);
    start_ = network(random, 0.5);
    const std::vector<std::vector<double>> teacher = network(random, 1);
    for (int e = 0; e < kExamples; ++e) {
      for (int i = 0; i < kInputs; ++i) x_.push_back(random.normal());
      double hidden[kUnits];
      y_.push_back(output(teacher, e, hidden) + 0.05 * random.normal());
    }
  }
  const std::vector<std::vector<double>>& start() const { return start_; }

  template <class T>
  double evaluate(const std::vector<std::vector<T>>& parameters, std::vector<std::vector<double>>& gradients) const {
    std::vector<std::vector<double>> p;
    for (const auto& tensor : parameters) p.emplace_back(tensor.begin(), tensor.end());
    gradients.clear();
    for (const auto& tensor : p) gradients.emplace_back(tensor.size(), 0.0);
    double loss = 0;
    for (int e = 0; e < kExamples; ++e) {
      double hidden[kUnits];
      const double residual = (output(p, e, hidden) - y_[static_cast<std::size_t>(e)]) / kExamples;
      loss += 0.5 * residual * residual * kExamples;
      gradients[3][0] += residual;
      for (std::size_t u = 0; u < kUnits; ++u) {
        const double back = residual * p[2][u] * (1 - hidden[u] * hidden[u]);
        gradients[2][u] += residual * hidden[u];
        gradients[1][u] += back;
        for (std::size_t i = 0; i < kInputs; ++i) gradients[0][u * kInputs + i] += back * x_[static_cast<std::size_t>(e) * kInputs + i];
      }
    }
    return loss;
  }

 private:
  static std::vector<std::vector<double>> network(Random& random, double size) {
    std::vector<std::vector<double>> p(4);
    for (int i = 0; i < kUnits * kInputs; ++i) p[0].push_back(static_cast<float>(size * random.normal()));
    for (int i = 0; i < kUnits; ++i) p[1].push_back(static_cast<float>(size * random.normal()));
    for (int i = 0; i < kUnits; ++i) p[2].push_back(static_cast<float>(size * random.normal()));
    p[3].push_back(0);
    return p;
  }
  double output(const std::vector<std::vector<double>>& p, int example, double* hidden) const {
    const double* const x = x_.data() + example * kInputs;
    double out = p[3][0];
    for (std::size_t u = 0; u < kUnits; ++u) {
      double sum = p[1][u];
      for (std::size_t i = 0; i < kInputs; ++i) sum += p[0][u * kInputs + i] * x[i];
      hidden[u] = std::tanh(sum);
      out += p[2][u] * hidden[u];
    }
    return out;
  }

  std::vector<std::vector<double>> start_;
  std::vector<double> x_, y_;
};

template <class T>
std::vector<std::vector<T>> as(const std::vector<std::vector<double>>& v) {
  std::vector<std::vector<T>> r;
  for (const auto& tensor : v) r.emplace_back(tensor.begin(), tensor.end());
  return r;
}

// Parameters and losses of a run after some of its steps.
struct Course {
  std::vector<std::vector<std::vector<double>>> parameters;
  std::vector<double> losses;
};

const std::vector<int>& marks() {
  static const std::vector<int> all = longRun() ? std::vector<int>{1, 10, 100, 1000} : kQuick ? std::vector<int>{1, 10} : std::vector<int>{1, 10, 60};
  return all;
}

template <class Parameters, class Step>
Course follow(const Problem& problem, const Parameters& parametersOf, const Step& step) {
  Course course;
  std::vector<std::vector<double>> gradients;
  for (int done = 0; done <= marks().back(); ++done) {
    const auto now = parametersOf();
    const double loss = problem.evaluate(now, gradients);
    if (done == 0 || done == marks()[course.losses.size() - 1]) {
      course.losses.push_back(loss);
      course.parameters.emplace_back();
      for (const auto& tensor : now) course.parameters.back().emplace_back(tensor.begin(), tensor.end());
      if (done == marks().back()) break;
    }
    step(gradients);
  }
  return course;
}

constexpr float kStartRate = -6.9f;

template <class T>
Course onHost(const Model& model, const Problem& problem, const Kernels<T>* kernels, bool compact, double factor = 1) {
  Hierarchy<T> hierarchy(model.cell, model.levels, kernels, 1, compact);
  std::vector<std::vector<T>> parameters = as<T>(problem.start());
  for (auto& tensor : parameters) {
    for (T& p : tensor) p = static_cast<T>(p * factor);
  }
  std::vector<int> handles;
  for (const auto& tensor : parameters) handles.push_back(hierarchy.addTensor(tensor.size(), T(kStartRate)));
  std::uint64_t iteration = 0;
  return follow(problem, [&] { return parameters; }, [&](const std::vector<std::vector<double>>& gradients) {
    const std::vector<std::vector<T>> g = as<T>(gradients);
    std::vector<const T*> from;
    std::vector<T*> to;
    for (std::size_t t = 0; t < g.size(); ++t) {
      from.push_back(g[t].data());
      to.push_back(parameters[t].data());
    }
    hierarchy.advance(handles.data(), handles.size(), from.data(), INFINITY, iteration++);
    hierarchy.parameters().apply(to.data(), 1, 0);
  });
}

Course onDevice(const Model& model, const Problem& problem, int bits) {
  const std::vector<std::vector<float>> start = as<float>(problem.start());
  std::vector<std::size_t> lengths;
  std::vector<std::vector<float>> rates;
  for (const auto& tensor : start) {
    lengths.push_back(tensor.size());
    rates.emplace_back(tensor.size(), kStartRate);
  }
  DeviceRun run(model.cell, model.levels, lengths, bits, rates);
  for (std::size_t t = 0; t < start.size(); ++t) run.parameters[t].set(start[t]);
  const auto parameters = [&] {
    std::vector<std::vector<float>> now;
    for (const DeviceFloats& p : run.parameters) now.push_back(p.get());
    return now;
  };
  return follow(problem, parameters, [&](const std::vector<std::vector<double>>& g) { run.step(as<float>(g), {}); });
}

// ‖a − b‖ of the parameters after a mark.
double apart(const Course& a, const Course& b, std::size_t mark, std::size_t markOfB) {
  double squares = 0;
  for (std::size_t t = 0; t < a.parameters[mark].size(); ++t) {
    for (std::size_t i = 0; i < a.parameters[mark][t].size(); ++i) {
      squares += std::pow(a.parameters[mark][t][i] - b.parameters[markOfB][t][i], 2);
    }
  }
  return std::sqrt(squares);
}

}  // namespace

TEST("CUDA: a thousand steps stay as close to the reference in double as those of the CPU in single precision") {
  const Problem problem;
  for (const char* name : {"hrnn-3", "prototype"}) {
    const Model model = readWeights(std::string(LO_SOURCE_FOLDER "/weights/") + name + ".safetensors");
    const Course exact = onHost<double>(model, problem, referenceKernels(), false);
    const Course device = onDevice(model, problem, 32);
    // How far single precision alone leads away: every kernel, and starts that differ in the last place.
    std::vector<Course> hosts;
    for (const Kernels<float>* kernels : everyKernel()) {
      for (const double factor : {1.0, 1 + 1.2e-7, 1 - 1.2e-7}) hosts.push_back(onHost<float>(model, problem, kernels, false, factor));
    }
    CHECK(exact.losses.back() < (longRun() ? 0.2 : 1) * exact.losses.front());
    for (std::size_t m = 1; m < exact.losses.size(); ++m) {
      const double moved = apart(exact, exact, m, 0), ofDevice = apart(device, exact, m, m) / moved;
      double ofHost = 0, lossOfHost = 0;
      for (const Course& host : hosts) {
        ofHost = std::max(ofHost, apart(host, exact, m, m) / moved);
        lossOfHost = std::max(lossOfHost, std::abs(host.losses[m] / exact.losses[m] - 1));
      }
      report("%s after %d steps: loss %.4g, from the reference %.2g, runs of the CPU up to %.2g", name, marks()[m - 1], device.losses[m], ofDevice, ofHost);
      // Both round the same formulas to float32, in another order, and the objective makes both errors grow alike: one is the
      // measure of the other, up to chance.
      CHECK_AT_MOST(ofDevice, 10 * ofHost + 2e-6, name);
      CHECK_AT_MOST(std::abs(device.losses[m] / exact.losses[m] - 1), 10 * lossOfHost + 1e-4, name);
    }
    // In 16 bits the same draws round other sums: runs part after some steps, and come to losses of one size.
    const Course host16 = onHost<float>(model, problem, testedKernels().front(), true), device16 = onDevice(model, problem, 16);
    report("%s in 16 bits: loss %.4g, the CPU %.4g", name, device16.losses.back(), host16.losses.back());
    CHECK_AT_MOST(apart(device16, host16, 1, 1) / apart(host16, host16, 1, 0), 1e-4, name);
    CHECK_AT_MOST(device16.losses.back(), std::max(3 * host16.losses.back(), 1e-3 * exact.losses.front()), name);
  }
}

}  // namespace lo::test
