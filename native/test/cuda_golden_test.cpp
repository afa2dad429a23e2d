// The trajectories of the paper's released code (test/fixtures/golden), replayed behind the C interface of native/cuda, as
// test/conformance.test.ts replays them on the CPU.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "cuda_run.h"
#include "model_files.h"

namespace lo::test {

namespace {

// That of the CPU in single precision (test/conformance.test.ts).
constexpr double kTolerance = 2e-4;

class Deviations {
 public:
  // |ours − golden| relative to |golden| + its root mean square; `roundoff`: absolute errors that float32 has anyway.
  void add(const std::string& quantity, const std::vector<double>& ours, const std::vector<double>& golden,
           const std::vector<double>& roundoff = {}) {
    double squares = 0, &worst = worst_[quantity];
    if (ours.size() != golden.size()) worst = INFINITY;
    for (const double g : golden) squares += g * g;
    const double rms = std::sqrt(squares / static_cast<double>(golden.size()));
    for (std::size_t i = 0; i < golden.size() && i < ours.size(); ++i) {
      const double error = std::abs(ours[i] - golden[i]) - (roundoff.empty() ? 0 : roundoff[i]);
      if (error <= 0) continue;
      const double relative = error / (std::abs(golden[i]) + rms);
      worst = relative >= 0 ? std::max(worst, relative) : INFINITY;
    }
  }
  void check(const std::string& file) const {
    double all = 0;
    for (const auto& [quantity, worst] : worst_) {
      CHECK_AT_MOST(worst, kTolerance, file + ", " + quantity);
      all = std::max(all, worst);
    }
    CHECK(worst_.size() > 1);
    report("%-36s %.2g, allowed %.2g", file.c_str(), all, kTolerance);
  }

 private:
  std::map<std::string, double> worst_;
};

std::vector<double> wide(const std::vector<float>& v) { return {v.begin(), v.end()}; }

// How far `now` is from the start: parameters move little, so comparing them alone would hide wrong steps.
std::vector<double> displacement(std::vector<double> now, const std::vector<double>& start) {
  for (std::size_t i = 0; i < now.size(); ++i) now[i] -= start[i];
  return now;
}

class Replay {
 public:
  explicit Replay(const Json& golden) : model_(readReleased(golden)) {
    std::vector<std::size_t> lengths;
    std::vector<std::vector<float>> rates;
    for (const Json& tensor : golden.at("tensors").items) {
      initial_.push_back(tensor.at("initial").numbers());
      lengths.push_back(initial_.back().size());
      rates.push_back(tensor.at("initialLogLearningRate").floats());
    }
    run_.reset(new DeviceRun(model_.cell, model_.levels, lengths, 32, rates));
    for (std::size_t t = 0; t < lengths.size(); ++t) run_->parameters[t].set({initial_[t].begin(), initial_[t].end()});
  }
  std::size_t tensors() const { return initial_.size(); }
  DeviceRun& run() { return *run_; }
  void step(const std::vector<std::vector<float>>& gradients) {
    run_->step(gradients, {});
    ++steps_;
  }
  std::vector<double> parameter(std::size_t t) const { return wide(run_->parameters[t].get()); }

  // θ, or with attention φ too.
  void compare(std::size_t t, const State<float>& state, const std::vector<double>& golden, const Json* attended,
               Deviations& d) const {
    const std::vector<double> at = state.position.empty() ? parameter(t) : wide(state.position);
    std::vector<double> roundoff;
    for (const double s : initial_[t]) roundoff.push_back(std::ldexp(std::abs(s), -24) * (steps_ + 1));
    d.add("parameters", at, golden);
    d.add("displacement", displacement(at, initial_[t]), displacement(golden, initial_[t]), roundoff);
    if (attended == nullptr || attended->isNull()) return;
    const std::vector<double> ahead = attended->items.at(t).numbers();
    d.add("lookahead point", parameter(t), ahead);
    d.add("lookahead displacement", displacement(parameter(t), initial_[t]), displacement(ahead, initial_[t]), roundoff);
  }

 private:
  Model model_;
  std::vector<std::vector<double>> initial_;
  std::unique_ptr<DeviceRun> run_;
  int steps_ = 0;
};

void replayTrajectory(const Json& golden, Deviations& d) {
  Replay replay(golden);
  for (const Json& step : golden.at("steps").items) {
    std::vector<std::vector<float>> gradients;
    for (const Json& g : step.at("gradients").items) gradients.push_back(g.floats());
    replay.step(gradients);
    for (std::size_t t = 0; t < replay.tensors(); ++t) {
      const State<float> state = replay.run().state(t);
      replay.compare(t, state, step.at("params").items.at(t).numbers(), step.find("attended"), d);
      d.add("log learning rate", wide(state.logRate), step.at("logLearningRate").items.at(t).numbers());
      if (!step.at("hidden").isNull()) d.add("hidden", wide(state.hidden), step.at("hidden").items.at(t).numbers());
      if (!step.at("layer").isNull()) d.add("tensor state", wide(replay.run().tensorState(t)), step.at("layer").items.at(t).numbers());
    }
    const std::vector<double> global = step.at("global_").numbers();
    if (!global.empty()) d.add("global state", wide(replay.run().globalState()), global);
  }
}

// On Σ ½‖W x − y‖², with gradients at the parameters that the optimizer gave.
void replayUnroll(const Json& golden, Deviations& d) {
  Replay replay(golden);
  for (const Json& step : golden.at("params").items) {
    std::vector<std::vector<float>> gradients;
    for (std::size_t t = 0; t < replay.tensors(); ++t) {
      const Json& problem = golden.at("tensors").items[t];
      const std::vector<double> W = problem.at("W").numbers(), y = problem.at("y").numbers(), x = replay.parameter(t);
      std::vector<double> g(x.size(), 0.0);
      for (std::size_t row = 0; row < y.size(); ++row) {
        double residual = -y[row];
        for (std::size_t j = 0; j < x.size(); ++j) residual += W[row * x.size() + j] * x[j];
        for (std::size_t j = 0; j < x.size(); ++j) g[j] += W[row * x.size() + j] * residual;
      }
      gradients.emplace_back(g.begin(), g.end());
    }
    replay.step(gradients);
    for (std::size_t t = 0; t < replay.tensors(); ++t) replay.compare(t, replay.run().state(t), step.items.at(t).numbers(), nullptr, d);
  }
}

}  // namespace

TEST("CUDA: the golden trajectories of the paper's released code") {
  for (const char* name : {"attention", "meta-gradient-attention", "meta-gradient-second-derivatives", "meta-gradient-stopped",
                           "multi-tensor", "one-level", "optional-inputs", "single-tensor", "two-level"}) {
    const Json golden = JsonReader::read(readFile(std::string(LO_SOURCE_FOLDER "/test/fixtures/golden/") + name + ".json"));
    Deviations d;
    golden.find("steps") != nullptr ? replayTrajectory(golden, d) : replayUnroll(golden, d);
    d.check(name);
  }
}

}  // namespace lo::test
