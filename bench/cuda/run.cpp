#include "run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "native/cuda/weights_view.h"
#include "native/dispatch.h"
#include "native/hierarchy.h"

namespace bench {

namespace {

constexpr float kStartRate = -6.9f;
constexpr std::size_t kCompared = 1000000;
// Steps of a round whose calls are timed: the device's queue of launches has room for them, so that none waits.
constexpr int kCalls = 64;

lo_cuda_optimizer* create(const lo::test::Model& model, int bits) {
  const lo_cuda_architecture a = lo::architectureOf(model.cell, model.levels, bits);
  const lo_cuda_weights w = lo::weightsOf(model.cell, model.levels);
  lo_cuda_optimizer* optimizer = nullptr;
  checkLibrary(lo_cuda_create(&a, &w, 0, &optimizer), "lo_cuda_create");
  return optimizer;
}

bool sameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Largest difference to the CPU's parameters, in root mean squares of the movement.
double differenceToHost(const lo::test::Model& model, const Case& c, const Run& run, const std::vector<float>& start, int steps) {
  lo::Hierarchy<float> host(model.cell, model.levels, lo::availableKernels().front(), lo::ThreadPool::usableThreads(), c.bits == 16);
  std::vector<float> parameters = start;
  const std::vector<float> gradients = run.gradients(), result = run.parameters();
  std::vector<int> handles;
  std::vector<const float*> from;
  std::vector<float*> to;
  std::size_t at = 0;
  for (const std::size_t n : run.lengths()) {
    handles.push_back(host.addTensor(n, kStartRate));
    from.push_back(gradients.data() + at);
    to.push_back(parameters.data() + at);
    at += n;
  }
  for (int i = 0; i < steps; ++i) {
    host.advance(handles.data(), handles.size(), from.data(), HUGE_VAL, static_cast<std::uint64_t>(i));
    host.parameters().apply(to.data(), 1, 0);
  }
  double squares = 0, worst = 0;
  for (std::size_t i = 0; i < start.size(); ++i) squares += std::pow(static_cast<double>(parameters[i]) - start[i], 2);
  const double rms = std::sqrt(squares / static_cast<double>(start.size()));
  for (std::size_t i = 0; i < start.size(); ++i) {
    const double d = std::fabs(static_cast<double>(result[i]) - parameters[i]) - 2.4e-7 * std::fabs(parameters[i]);
    worst = d / rms > worst || d != d ? d / rms : worst;
  }
  return worst;
}

}  // namespace

void checkLibrary(lo_cuda_status status, const char* what) {
  if (status != LO_CUDA_OK) throw std::runtime_error(std::string(what) + ": " + lo_cuda_last_error());
}

Run::Run(const lo::test::Model& model, const Case& c)
    : case_(c), lengths_(lengthsOf(c)), gradients_(c.parameters), parameters_(c.parameters) {
  optimizer_ = create(model, c.bits);
  fillGradient(gradients_.data(), c.parameters, 5, 0.01f);
  std::size_t at = 0;
  for (const std::size_t n : lengths_) {
    from_.push_back(gradients_.data() + at);
    to_.push_back(parameters_.data() + at);
    at += n;
  }
  fillUniform(parameters_.data(), c.parameters, 9, 0.5f);
  synchronize();
  for (const std::size_t n : lengths_) {
    int handle = -1;
    const lo_cuda_status status = lo_cuda_add_tensor(optimizer_, n, nullptr, kStartRate, &handle);
    handles_.push_back(handle);
    if (status == LO_CUDA_OK) continue;
    lo_cuda_destroy(optimizer_);
    checkLibrary(status, "lo_cuda_add_tensor");
  }
}

Run::~Run() { lo_cuda_destroy(optimizer_); }

void Run::step() {
  const lo_cuda_step_request request{handles_.size(), handles_.data(), from_.data(), to_.data(), HUGE_VAL, 1, 0, iteration_++};
  checkLibrary(lo_cuda_step(optimizer_, &request, nullptr), "lo_cuda_step");
}

std::vector<float> Run::sample() const {
  constexpr std::size_t kPiece = 65536, kPieces = 8;
  if (case_.parameters <= kPiece * kPieces) return parameters();
  std::vector<float> all;
  for (std::size_t k = 0; k < kPieces; ++k) {
    const std::size_t first = (case_.parameters - kPiece) / (kPieces - 1) * k;
    const std::vector<float> piece = parameters_.get(first, kPiece);
    all.insert(all.end(), piece.begin(), piece.end());
  }
  return all;
}

lo_cuda_step_report Run::report() {
  lo_cuda_step_report r = {};
  checkLibrary(lo_cuda_report(optimizer_, &r), "lo_cuda_report");
  return r;
}

std::unique_ptr<Run> verifiedRun(const lo::test::Model& model, const Case& c, std::string& wrong) {
  constexpr int kSteps = 3;
  std::vector<float> waitedFor;
  {
    Run run(model, c);
    const std::vector<float> before = run.sample();
    std::vector<float> start;
    if (c.parameters <= kCompared) start = run.parameters();
    for (int i = 0; i < kSteps; ++i) {
      run.step();
      if (run.report().skipped != 0) return wrong = "coordinates were skipped", nullptr;
    }
    waitedFor = run.sample();
    std::size_t moved = 0;
    for (std::size_t i = 0; i < waitedFor.size(); ++i) {
      if (!std::isfinite(waitedFor[i])) return wrong = "a parameter is not finite", nullptr;
      moved += waitedFor[i] != before[i] ? 1 : 0;
    }
    if (moved < waitedFor.size() / 2) return wrong = "parameters have not moved", nullptr;
    if (!start.empty()) {
      const double difference = differenceToHost(model, c, run, start, kSteps);
      // In 16 bits a field may be rounded to the other side.
      if (!(difference <= (c.bits == 16 ? 0.2 : 2e-3))) {
        return wrong = "differs from the CPU by " + std::to_string(difference) + " of the movement", nullptr;
      }
    }
  }
  std::unique_ptr<Run> run(new Run(model, c));
  for (int i = 0; i < kSteps; ++i) run->step();
  if (!sameBits(run->sample(), waitedFor)) return wrong = "two runs have different bits", nullptr;
  return run;
}

Timing timeSteps(Run& run, int rounds, double nanosecondsPerRound) {
  Stopwatch watch;
  run.step();
  watch.start();
  for (int i = 0; i < 3; ++i) run.step();
  const int steps = std::max(1, static_cast<int>(nanosecondsPerRound / (watch.stop() / 3)));
  std::vector<double> times, host;
  for (int round = -1; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    watch.start();
    const int calls = std::min(steps, kCalls);
    for (int i = 0; i < calls; ++i) run.step();
    const double called = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() / calls;
    for (int i = calls; i < steps; ++i) run.step();
    const double time = watch.stop() / steps;
    if (round < 0) continue;
    times.push_back(time);
    host.push_back(called);
  }
  const Statistics s = statisticsOf(times);
  return {s.median, s.spread, statisticsOf(host).median, rounds, steps};
}

}  // namespace bench
