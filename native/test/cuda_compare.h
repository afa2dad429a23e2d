// The same steps on the CPU and behind the C interface of native/cuda, and how far apart they may be.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "../dispatch.h"
#include "../hierarchy.h"
#include "cuda_run.h"
#include "random_levels.h"

namespace lo::test {

// LO_TEST_LONG=1 asks for what a device does in a moment and the emulation does not.
inline bool longRun() { return std::getenv("LO_TEST_LONG") != nullptr; }

struct Case {
  Config config;
  int levels = 3;
  std::vector<std::size_t> lengths = {1, 33, 1100};
  StepOptions options = {};
  int stateBits = 32;
  double magnitude = 1e-2;
  bool withBad = false;
  int steps = 3;
  int tensorHidden = 20, globalHidden = 20;
};

inline LevelWeights levelsFor(const Case& c, std::uint64_t seed) {
  Random random(seed);
  LevelWeights w = randomLevels({c.levels, c.config.hidden, c.config.tensorInputs() - c.config.hidden, c.tensorHidden,
                                 c.globalHidden}, random);
  return w;
}

inline std::vector<std::vector<float>> gradientsFor(const Case& c, Random& random) {
  std::vector<std::vector<float>> g;
  for (const std::size_t n : c.lengths) {
    g.push_back(randomGradient(n, random, c.magnitude));
    if (!c.withBad || n < 10) continue;
    for (std::size_t i = 0; i < n; i += 1 + random.below(9)) g.back()[i] = i % 2 == 0 ? NAN : INFINITY;
    // A tensor of which nothing advances.
    if (n == 33) std::fill(g.back().begin(), g.back().end(), NAN);
  }
  return g;
}

// The same optimizer on the CPU.
struct HostRun {
  Hierarchy<float> hierarchy;
  std::vector<int> handles;
  std::vector<std::vector<float>> parameters;
  std::uint64_t iteration = 0;

  HostRun(const CellWeights& cell, const LevelWeights& levels, const Case& c)
      : hierarchy(cell, levels, testedKernels().front(), 1, c.stateBits == 16) {
    for (const std::size_t n : c.lengths) {
      handles.push_back(hierarchy.addTensor(n, -6.0f));
      parameters.emplace_back(n, 0.0f);
    }
  }
  AdvanceReport step(const std::vector<std::vector<float>>& g, const StepOptions& o) {
    std::vector<const float*> from;
    std::vector<float*> to;
    for (std::size_t t = 0; t < g.size(); ++t) {
      from.push_back(g[t].data());
      to.push_back(parameters[t].data());
    }
    const AdvanceReport r = hierarchy.advance(handles.data(), handles.size(), from.data(), o.clipNorm, iteration++);
    hierarchy.parameters().apply(to.data(), o.multiplier, o.weightDecay);
    return r;
  }
  State<float> state(std::size_t t) {
    Optimizer<float>& own = hierarchy.parameters();
    const Config& config = own.config();
    State<float> s;
    const std::size_t n = parameters[t].size();
    s.hidden.resize(n * static_cast<std::size_t>(config.hidden));
    s.momentum.resize(n * static_cast<std::size_t>(config.timescales));
    s.scale.resize(s.momentum.size());
    s.logRate.resize(n);
    if (own.hasPosition(handles[t])) s.position.resize(n);
    own.exportTensor(handles[t], {s.hidden.data(), s.momentum.data(), s.scale.data(), s.logRate.data(),
                                  s.position.empty() ? nullptr : s.position.data()});
    return s;
  }
  std::vector<float> tensorState(std::size_t t) {
    const float* p = hierarchy.levels().tensorState(handles[t]);
    return p == nullptr ? std::vector<float>() : std::vector<float>(p, p + hierarchy.levels().tensorHidden());
  }
  std::vector<float> globalState() {
    float* const p = hierarchy.levels().globalState();
    return {p, p + hierarchy.levels().globalHidden()};
  }
  void setState(std::size_t t, const State<float>& s, const std::vector<float>& level) {
    hierarchy.parameters().importTensor(handles[t], {s.hidden.data(), s.momentum.data(), s.scale.data(), s.logRate.data(),
                                                     s.position.empty() ? nullptr : s.position.data()});
    std::copy(level.begin(), level.end(), hierarchy.levels().tensorState(handles[t]));
  }
};

inline double distance(const std::vector<float>& a, const std::vector<float>& b, double unit = 0) {
  if (a.size() != b.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - b[i]) / std::max(1.0 - std::min(unit, 1.0), unit * std::abs(b[i]));
    worst = std::isnan(d) ? INFINITY : std::max(worst, d);
  }
  return worst;
}

// Largest difference of two parameters, in root mean squares of the tensor's movement, past what rounding θ costs.
inline double movement(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& before) {
  double squares = 0, worst = 0;
  for (std::size_t i = 0; i < b.size(); ++i) squares += std::pow(static_cast<double>(b[i]) - before[i], 2);
  const double rms = std::sqrt(squares / static_cast<double>(b.size())) + 1e-30;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - b[i]) - 2.4e-7 * std::abs(b[i]);
    worst = std::isnan(d) ? INFINITY : std::max(worst, d / rms);
  }
  return worst;
}

struct Worst {
  double hidden = 0, momentum = 0, scale = 0, rate = 0, movement = 0, tensor = 0, global = 0;
};

// Largest difference relative to the largest magnitude there is.
inline double relative(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 1e-35;
  for (const float v : b) largest = std::max(largest, std::abs(static_cast<double>(v)));
  return distance(a, b) / largest;
}

// Each step begins on the device with the state that the CPU has, so this also covers import.
inline void compare(const Case& c, std::uint64_t seed, Worst& worst) {
  const CellWeights cell = randomWeights(c.config, seed);
  const LevelWeights levels = levelsFor(c, seed + 1);
  HostRun host(cell, levels, c);
  DeviceRun device(cell, levels, c.lengths, c.stateBits);
  Random random(seed + 2);
  for (int step = 0; step < c.steps; ++step) {
    const auto gradients = gradientsFor(c, random);
    std::vector<std::vector<float>> before;
    for (std::size_t t = 0; t < c.lengths.size(); ++t) {
      device.setState(t, host.state(t), host.tensorState(t));
      device.parameters[t].set(host.parameters[t]);
      before.push_back(host.parameters[t]);
    }
    if (c.levels > 2) require(lo_cuda_import_global(device.optimizer, host.globalState().data()));
    const AdvanceReport expected = host.step(gradients, c.options);
    device.step(gradients, c.options);
    const lo_cuda_step_report report = device.report();
    CHECK_EQUAL(report.skipped, static_cast<std::uint64_t>(expected.skipped));
    CHECK(std::isnan(report.gradient_norm) == std::isnan(expected.gradientNorm));
    if (!std::isnan(expected.gradientNorm)) {
      CHECK_AT_MOST(std::abs(report.gradient_norm - expected.gradientNorm), 1e-12 * expected.gradientNorm, "norm");
    }
    for (std::size_t t = 0; t < c.lengths.size(); ++t) {
      const State<float> a = device.state(t), b = host.state(t);
      worst.hidden = std::max(worst.hidden, distance(a.hidden, b.hidden));
      worst.momentum = std::max(worst.momentum, relative(a.momentum, b.momentum));
      worst.scale = std::max(worst.scale, relative(a.scale, b.scale));
      worst.rate = std::max(worst.rate, distance(a.logRate, b.logRate));
      worst.movement = std::max(worst.movement, movement(device.parameters[t].get(), host.parameters[t], before[t]));
      CHECK_EQUAL(a.position.size(), b.position.size());
      if (!b.position.empty()) worst.movement = std::max(worst.movement, movement(a.position, b.position, before[t]));
      if (c.levels > 1) worst.tensor = std::max(worst.tensor, distance(device.tensorState(t), host.tensorState(t)));
    }
    if (c.levels > 2) worst.global = std::max(worst.global, distance(device.globalState(), host.globalState()));
  }
}

// Rounding alone: the same formulas in the same precision, in another order. In 16 bits a value may fall to the other side
// of a draw: one spacing (2^-15 of the range, 2^-7 of the value). Without dynamic input scaling products of inputs come to
// hundreds, and the rounding of what they are multiplied by to a multiple of that.
inline void compareAll(const std::vector<Case>& cases) {
  Worst single, half;
  std::uint64_t seed = 900;
  for (const Case& c : cases) {
    Worst w;
    compare(c, seed += 10, w);
    const std::string where = describe(c.config) + ", levels " + text(c.levels) + ", bits " + text(c.stateBits);
    const bool compact = c.stateBits == 16;
    CHECK_AT_MOST(w.hidden, (compact ? 2e-4 : 6e-5) + ((c.config.flags & kUnscaledInputs) != 0 ? 1e-3 : 0), where);
    CHECK_AT_MOST(w.momentum, compact ? 8e-3 : 3e-5, where);
    CHECK_AT_MOST(w.scale, compact ? 8e-3 : 8e-6, where);
    CHECK_AT_MOST(w.rate, 6e-5, where);
    CHECK_AT_MOST(w.movement, 1e-3, where);
    CHECK_AT_MOST(w.tensor, 2e-5, where);
    CHECK_AT_MOST(w.global, 2e-5, where);
    Worst& all = compact ? half : single;
    for (double Worst::*f : {&Worst::hidden, &Worst::momentum, &Worst::scale, &Worst::rate, &Worst::movement, &Worst::tensor,
                             &Worst::global}) {
      all.*f = std::max(all.*f, w.*f);
    }
  }
  for (const Worst& w : {single, half}) {
    report("hidden %.2g momentum %.2g scale %.2g rate %.2g movement %.2g tensor %.2g global %.2g", w.hidden, w.momentum, w.scale,
           w.rate, w.movement, w.tensor, w.global);
  }
}

}  // namespace lo::test
