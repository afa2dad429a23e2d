// The step with gradients and parameters on the host has the bits of the step on the device. The C interface only: over the
// emulation, where a chunk is 4,096 floats, or on a device.
#include <algorithm>
#include <cmath>
#include <string>

#include "cuda_run.h"
#include "random_levels.h"

namespace lo::test {

namespace {

struct HostCase {
  unsigned flags;
  std::vector<std::size_t> lengths;
  StepOptions options;
  int stateBits;
};

// On a device a chunk is 2^20 floats.
bool emulated() {
  lo_cuda_device device;
  require(lo_cuda_describe_device(0, &device));
  return std::string(device.name) == "emulation";
}

std::vector<HostCase> cases() {
  std::vector<std::size_t> mixed = {5000, 1, 4096, 33};
  for (std::size_t t = 0; t < (kQuick ? 20 : 150); ++t) mixed.push_back(1 + t % 60);
  mixed.push_back(!emulated() ? 7'000'003 : kQuick ? 9000 : 40000);
  StepOptions clipping;
  clipping.clipNorm = 1e-3;
  clipping.multiplier = 0.3;
  clipping.weightDecay = 0.01;
  return {{0, mixed, {}, 32}, {kAttention, mixed, clipping, 16}, {kAttention, {7}, {}, 32}, {0, {1024, 1024, 1024, 1024, 1}, clipping, 32}};
}

std::vector<std::vector<float>> gradientsFor(const HostCase& c, Random& random) {
  std::vector<std::vector<float>> g;
  for (const std::size_t n : c.lengths) g.push_back(randomGradient(n, random));
  g[0][0] = NAN;
  if (g.size() > 3) std::fill(g[3].begin(), g[3].end(), INFINITY);
  return g;
}

}  // namespace

TEST("CUDA: a step from the host has the bits of a step on the device, in chunks, with clipping and bad gradients") {
  for (const HostCase& c : cases()) {
    const Config config = makeConfig(10, 4, kPaperInputs | c.flags);
    const CellWeights cell = randomWeights(config, 60);
    Random random(61);
    const LevelWeights levels = randomLevels({3, config.hidden, config.tensorInputs() - config.hidden, 20, 20}, random);
    DeviceRun device(cell, levels, c.lengths, c.stateBits), host(cell, levels, c.lengths, c.stateBits);
    for (int step = 0; step < (kQuick ? 2 : 3); ++step) {
      const auto g = gradientsFor(c, random);
      device.step(g, c.options);
      const lo_cuda_step_report a = device.report(), b = host.stepHost(g, c.options);
      CHECK_EQUAL(b.skipped, a.skipped);
      CHECK(a.gradient_norm == b.gradient_norm || (std::isnan(a.gradient_norm) && std::isnan(b.gradient_norm)));
    }
    CHECK_SAME_BITS(host.everything(), device.everything());
    // Both kinds of step may take turns.
    const auto g = gradientsFor(c, random);
    host.step(g, c.options);
    device.stepHost(g, c.options);
    CHECK_SAME_BITS(host.everything(), device.everything());
  }
}

TEST("CUDA: a step from the host without some parameters advances their state alone") {
  const Config config = makeConfig(10, 4, kPaperInputs | kAttention);
  const CellWeights cell = randomWeights(config, 62);
  Random random(63);
  const LevelWeights levels = randomLevels({3, config.hidden, config.tensorInputs() - config.hidden, 20, 20}, random);
  DeviceRun all(cell, levels, {3000, 10, 2000}), some(cell, levels, {3000, 10, 2000});
  std::vector<std::vector<float>> g, p;
  std::vector<const float*> from;
  for (const std::size_t n : all.lengths) {
    g.push_back(randomGradient(n, random));
    p.emplace_back(n, 0.0f);
  }
  for (const auto& one : g) from.push_back(one.data());
  all.stepHost(g, {});
  float* const to[] = {p[0].data(), nullptr, p[2].data()};
  const lo_cuda_step_request request{3, some.handles.data(), from.data(), to, INFINITY, 1, 0, 0};
  require(lo_cuda_step_host(some.optimizer, &request, nullptr));
  CHECK_SAME_BITS(p[2], all.parameters[2].get());
  CHECK_SAME_BITS(p[1], std::vector<float>(10, 0.0f));
  for (std::size_t t = 0; t < 3; ++t) CHECK_SAME_BITS(some.state(t).hidden, all.state(t).hidden);
  int has = -1;
  require(lo_cuda_has_position(some.optimizer, some.handles[1], &has));
  CHECK_EQUAL(has, 0);
  std::vector<float> position(3000);
  require(lo_cuda_export_position(some.optimizer, some.handles[0], position.data()));
  CHECK_SAME_BITS(position, all.state(0).position);
  CHECK_EQUAL(lo_cuda_export_position(some.optimizer, some.handles[1], position.data()), LO_CUDA_INVALID);
}

}  // namespace lo::test
