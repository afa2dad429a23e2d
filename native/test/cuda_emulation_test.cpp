// What only the emulation shows: that results do not depend on the order of threads, what a step allocates and uploads, how
// many kernels it launches, and what happens without memory.
#include <algorithm>
#include <cmath>

#include "../cuda/emulation/emulation.h"
#include "cuda_run.h"
#include "random_levels.h"

namespace lo::test {

namespace {

struct Model {
  CellWeights cell;
  LevelWeights levels;
  explicit Model(const Config& config) : cell(randomWeights(config, 90)) {
    Random random(91);
    levels = randomLevels({3, config.hidden, config.tensorInputs() - config.hidden, 20, 20}, random);
  }
};

const std::vector<std::size_t> kLengths = {3, 1030, 64};

std::vector<std::vector<float>> gradients(Random& random) {
  std::vector<std::vector<float>> g;
  for (const std::size_t n : kLengths) g.push_back(randomGradient(n, random));
  g[1][7] = NAN;
  return g;
}

}  // namespace

TEST("CUDA emulation: the same bits in whatever order the threads of a block run") {
  const Model model(makeConfig(10, 4, kPaperInputs | kAttention));
  std::vector<std::vector<float>> results;
  for (const auto order : {emulation::Order::ascending, emulation::Order::descending, emulation::Order::shuffled}) {
    emulation::order = order;
    DeviceRun run(model.cell, model.levels, kLengths);
    Random random(92);
    StepOptions options;
    options.clipNorm = 1e-3;
    for (int step = 0; step < 3; ++step) run.step(gradients(random), options);
    std::vector<float> all = run.globalState();
    for (std::size_t t = 0; t < kLengths.size(); ++t) {
      for (const auto& part : {run.state(t).hidden, run.state(t).position, run.tensorState(t), run.parameters[t].get()}) {
        all.insert(all.end(), part.begin(), part.end());
      }
    }
    results.push_back(all);
  }
  emulation::order = emulation::Order::ascending;
  CHECK_SAME_BITS(results[1], results[0]);
  CHECK_SAME_BITS(results[2], results[0]);
}

TEST("CUDA emulation: a step like the one before allocates and uploads nothing, and launches six kernels for any number of tensors") {
  const Model model(presetConfig());
  DeviceRun run(model.cell, model.levels, std::vector<std::size_t>(50, 7));
  std::vector<const float*> from;
  std::vector<float*> to;
  Random random(93);
  for (std::size_t t = 0; t < 50; ++t) {
    run.gradients[t].set(randomGradient(7, random));
    from.push_back(run.gradients[t].data());
    to.push_back(run.parameters[t].data());
  }
  lo_cuda_step_request request{50, run.handles.data(), from.data(), to.data(), INFINITY, 1, 0, 0};
  require(lo_cuda_step(run.optimizer, &request, nullptr));
  const std::size_t allocations = emulation::allocations, copies = emulation::copies, launches = emulation::launches;
  for (request.iteration = 1; request.iteration < 4; ++request.iteration) require(lo_cuda_step(run.optimizer, &request, nullptr));
  CHECK_EQUAL(emulation::allocations, allocations);
  CHECK_EQUAL(emulation::copies, copies);
  CHECK_EQUAL(emulation::launches - launches, std::size_t{18});
}

TEST("CUDA emulation: without memory the call says so and leaves the optimizer as it was") {
  const Model model(presetConfig());
  DeviceRun run(model.cell, model.levels, kLengths);
  Random random(94);
  const auto g = gradients(random);
  std::vector<const float*> from;
  std::vector<float*> to;
  for (std::size_t t = 0; t < kLengths.size(); ++t) {
    run.gradients[t].set(g[t]);
    from.push_back(run.gradients[t].data());
    to.push_back(run.parameters[t].data());
  }
  const State<float> before = run.state(1);
  emulation::memoryLeft = 4096;
  int handle = -1;
  CHECK_EQUAL(lo_cuda_add_tensor(run.optimizer, 5000, nullptr, -6, &handle), LO_CUDA_OUT_OF_MEMORY);
  CHECK(std::string(lo_cuda_last_error()).find("bytes: out of memory") != std::string::npos);
  const lo_cuda_step_request request{from.size(), run.handles.data(), from.data(), to.data(), INFINITY, 1, 0, 0};
  CHECK_EQUAL(lo_cuda_step(run.optimizer, &request, nullptr), LO_CUDA_OUT_OF_MEMORY);
  emulation::memoryLeft = static_cast<std::size_t>(-1);
  CHECK_SAME_STATE(run.state(1), before);
  require(lo_cuda_step(run.optimizer, &request, nullptr));
  CHECK_EQUAL(run.report().skipped, std::uint64_t{1});
}

TEST("CUDA emulation: a step from the host waits for whatever it needs: the same bits when all work is done as late as possible") {
  const Model model(makeConfig(10, 4, kPaperInputs | kAttention));
  // More chunks than there are buffers for, both ways; and so few that no buffer is waited for.
  const std::vector<std::vector<std::size_t>> sizes = {{20000, 3, 4096, 100, 30000}, {5000, 3}};
  for (const double clipNorm : {static_cast<double>(INFINITY), 1e-3}) {
    for (const std::vector<std::size_t>& lengths : sizes) {
      StepOptions options;
      options.clipNorm = clipNorm;
      std::vector<std::vector<float>> results;
      for (const bool late : {false, true}) {
        DeviceRun run(model.cell, model.levels, lengths);
        Random random(95);
        emulation::deferred = late;
        for (int step = 0; step < 2; ++step) {
          std::vector<std::vector<float>> g;
          for (const std::size_t n : lengths) g.push_back(randomGradient(n, random));
          run.stepHost(g, options);
        }
        results.push_back(run.everything());
        emulation::deferred = false;
      }
      CHECK_SAME_BITS(results[1], results[0]);
    }
  }
}

TEST("CUDA emulation: a step from the host like the one before allocates nothing, and one without memory changes nothing") {
  const Model model(presetConfig());
  DeviceRun run(model.cell, model.levels, {6000, 7, 100});
  Random random(96);
  std::vector<std::vector<float>> g, p;
  std::vector<const float*> from;
  std::vector<float*> to;
  for (const std::size_t n : run.lengths) {
    g.push_back(randomGradient(n, random));
    p.push_back(randomGradient(n, random));
  }
  for (std::size_t t = 0; t < 3; ++t) {
    from.push_back(g[t].data());
    to.push_back(p[t].data());
  }
  lo_cuda_step_request request{3, run.handles.data(), from.data(), to.data(), INFINITY, 1, 0, 0};
  const auto before = run.everything();
  const auto parameters = p;
  // Enough for the tables, not for the gradients and parameters.
  emulation::memoryLeft = 40000;
  CHECK_EQUAL(lo_cuda_step_host(run.optimizer, &request, nullptr), LO_CUDA_OUT_OF_MEMORY);
  emulation::memoryLeft = static_cast<std::size_t>(-1);
  CHECK_SAME_BITS(run.everything(), before);
  for (std::size_t t = 0; t < 3; ++t) CHECK_SAME_BITS(p[t], parameters[t]);
  const std::uint64_t bytes = lo_cuda_bytes(run.optimizer);
  require(lo_cuda_step_host(run.optimizer, &request, nullptr));
  CHECK(lo_cuda_bytes(run.optimizer) > bytes);
  CHECK(p[0] != parameters[0]);
  const std::size_t allocations = emulation::allocations;
  for (request.iteration = 1; request.iteration < 4; ++request.iteration) require(lo_cuda_step_host(run.optimizer, &request, nullptr));
  CHECK_EQUAL(emulation::allocations, allocations);
}

TEST("CUDA emulation: the first step from the host without room for its events changes nothing, and the next has all of them") {
  const Model model(presetConfig());
  const std::vector<std::size_t> lengths = {20000, 3};
  DeviceRun run(model.cell, model.levels, lengths), other(model.cell, model.levels, lengths);
  Random random(98);
  std::vector<std::vector<float>> g, p;
  for (const std::size_t n : lengths) {
    g.push_back(randomGradient(n, random));
    p.emplace_back(n, 0.0f);
  }
  const float* const from[] = {g[0].data(), g[1].data()};
  float* const to[] = {p[0].data(), p[1].data()};
  const lo_cuda_step_request request{2, run.handles.data(), from, to, INFINITY, 1, 0, 0};
  // Five chunks, each with an event besides those of the buffers.
  emulation::eventsLeft = 2 * 4 + 4;
  CHECK_EQUAL(lo_cuda_step_host(run.optimizer, &request, nullptr), LO_CUDA_OUT_OF_MEMORY);
  emulation::eventsLeft = static_cast<std::size_t>(-1);
  CHECK_SAME_BITS(p[0], std::vector<float>(lengths[0], 0.0f));
  require(lo_cuda_step_host(run.optimizer, &request, nullptr));
  other.stepHost(g, {});
  for (std::size_t t = 0; t < 2; ++t) CHECK_SAME_BITS(p[t], other.parameters[t].get());
}

TEST("CUDA emulation: a step into a stream has the same bits when all work is done as late as possible") {
  const Model model(presetConfig());
  std::vector<std::vector<float>> results;
  for (const bool late : {false, true}) {
    DeviceRun run(model.cell, model.levels, kLengths);
    Random random(99);
    emulation::deferred = late;
    for (int step = 0; step < 3; ++step) run.step(gradients(random), {});
    results.push_back(run.everything());
    emulation::deferred = false;
  }
  CHECK_SAME_BITS(results[1], results[0]);
}

TEST("CUDA emulation: no code for the device is no optimizer, and a kernel without memory is no step that changed nothing") {
  const Model model(presetConfig());
  const lo_cuda_architecture architecture = architectureOf(model.cell, model.levels);
  const lo_cuda_weights weights = weightsOf(model.cell, model.levels);
  lo_cuda_optimizer* none = nullptr;
  emulation::hasCode = false;
  CHECK_EQUAL(lo_cuda_create(&architecture, &weights, 0, &none), LO_CUDA_UNAVAILABLE);
  emulation::hasCode = true;
  CHECK(std::string(lo_cuda_last_error()).find("no code for the device") != std::string::npos);
  CHECK(none == nullptr);
  DeviceRun run(model.cell, model.levels, {7});
  const float* const from = run.gradients[0].data();
  float* const to = run.parameters[0].data();
  run.gradients[0].set(std::vector<float>(7, 1.0f));
  const lo_cuda_step_request request{1, run.handles.data(), &from, &to, INFINITY, 1, 0, 0};
  emulation::launchesSucceed = false;
  CHECK_EQUAL(lo_cuda_step(run.optimizer, &request, nullptr), LO_CUDA_FAILED);
  emulation::launchesSucceed = true;
  CHECK(std::string(lo_cuda_last_error()).find("no memory for a kernel") != std::string::npos);
}

TEST("CUDA emulation: a lost device says so at every call") {
  const Model model(presetConfig());
  DeviceRun run(model.cell, model.levels, {6000, 7});
  Random random(97);
  const std::vector<std::vector<float>> g = {randomGradient(6000, random), randomGradient(7, random)};
  std::vector<std::vector<float>> p = {std::vector<float>(6000), std::vector<float>(7)};
  const float* const from[] = {g[0].data(), g[1].data()};
  float* const to[] = {p[0].data(), p[1].data()};
  const lo_cuda_step_request request{2, run.handles.data(), from, to, INFINITY, 1, 0, 0};
  emulation::lost = true;
  CHECK_EQUAL(lo_cuda_step_host(run.optimizer, &request, nullptr), LO_CUDA_LOST);
  CHECK(std::string(lo_cuda_last_error()).find("illegal memory access") != std::string::npos);
  CHECK_EQUAL(lo_cuda_remove_tensor(run.optimizer, run.handles[0]), LO_CUDA_LOST);
  emulation::lost = false;
}

}  // namespace lo::test
