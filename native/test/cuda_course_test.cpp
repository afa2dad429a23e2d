// What must hold from step to step behind the C interface of native/cuda: the same bits in repeated runs, state that moves
// between the CPU and the device, and steps without parameters.
#include "cuda_compare.h"

namespace lo::test {

namespace {

// Everything after some steps, of a new optimizer.
std::vector<float> resultOf(const Case& c, int steps) {
  DeviceRun run(randomWeights(c.config, 301), levelsFor(c, 302), c.lengths, c.stateBits);
  Random random(303);
  for (int i = 0; i < steps; ++i) run.step(gradientsFor(c, random), c.options);
  return run.everything();
}

std::vector<Case> smallCases() {
  std::vector<Case> cases;
  for (const int bits : {32, 16}) {
    for (const Config& config : {makeConfig(10, 4, kPaperInputs | kAttention), presetConfig(), makeConfig(7, 3, 0xc3)}) {
      Case c{config};
      c.stateBits = bits;
      c.withBad = true;
      c.options = {1e-3, 0.5, 0.01};
      cases.push_back(c);
    }
  }
  return cases;
}

}  // namespace

TEST("CUDA small: every kernel once, and the same bits in repeated runs") {
  std::vector<Case> cases = smallCases();
  for (Case& c : cases) c.steps = 2;
  compareAll(cases);
  for (const Case& c : cases) CHECK_SAME_BITS(resultOf(c, 2), resultOf(c, 2));
}

TEST("CUDA: without parameters the state advances alone") {
  for (const Case& c : smallCases()) {
    if (c.config.attention()) continue;
    const CellWeights cell = randomWeights(c.config, 311);
    const LevelWeights levels = levelsFor(c, 312);
    DeviceRun with(cell, levels, c.lengths, c.stateBits), without(cell, levels, c.lengths, c.stateBits);
    Random random(313);
    for (int step = 0; step < 2; ++step) {
      const auto g = gradientsFor(c, random);
      with.step(g, c.options);
      std::vector<const float*> from;
      for (std::size_t t = 0; t < g.size(); ++t) {
        without.gradients[t].set(g[t]);
        from.push_back(without.gradients[t].data());
      }
      const std::vector<float*> none(g.size(), nullptr);
      const lo_cuda_step_request request{g.size(), without.handles.data(), from.data(), none.data(), c.options.clipNorm,
                                         c.options.multiplier, c.options.weightDecay, without.iteration++};
      require(lo_cuda_step(without.optimizer, &request, nullptr));
    }
    for (std::size_t t = 0; t < c.lengths.size(); ++t) {
      CHECK_SAME_STATE(without.state(t), with.state(t));
      CHECK_SAME_BITS(without.tensorState(t), with.tensorState(t));
      CHECK_SAME_BITS(without.parameters[t].get(), std::vector<float>(c.lengths[t], 0.0f));
    }
    CHECK_SAME_BITS(without.globalState(), with.globalState());
  }
}

// Nine steps on the CPU, and three on the CPU, three on the device, three on the CPU again. Rounding alone is between them; in
// 16 bits some draws fall to the other side.
TEST("CUDA: state moves from the CPU to the device and back in mid-run") {
  for (Case c : smallCases()) {
    c.withBad = false;
    const CellWeights cell = randomWeights(c.config, 321);
    const LevelWeights levels = levelsFor(c, 322);
    HostRun whole(cell, levels, c), first(cell, levels, c), last(cell, levels, c);
    DeviceRun middle(cell, levels, c.lengths, c.stateBits);
    Random random(323);
    std::vector<std::vector<std::vector<float>>> g;
    for (int step = 0; step < 9; ++step) g.push_back(gradientsFor(c, random));
    for (int step = 0; step < 9; ++step) whole.step(g[static_cast<std::size_t>(step)], c.options);
    for (int step = 0; step < 3; ++step) first.step(g[static_cast<std::size_t>(step)], c.options);
    for (std::size_t t = 0; t < c.lengths.size(); ++t) {
      middle.setState(t, first.state(t), first.tensorState(t));
      middle.parameters[t].set(first.parameters[t]);
      // What is imported is what is exported.
      CHECK_SAME_STATE(middle.state(t), first.state(t));
    }
    require(lo_cuda_import_global(middle.optimizer, first.globalState().data()));
    middle.iteration = 3;
    for (int step = 3; step < 6; ++step) middle.step(g[static_cast<std::size_t>(step)], c.options);
    for (std::size_t t = 0; t < c.lengths.size(); ++t) {
      last.setState(t, middle.state(t), middle.tensorState(t));
      last.parameters[t] = middle.parameters[t].get();
      CHECK_SAME_STATE(last.state(t), middle.state(t));
    }
    const std::vector<float> global = middle.globalState();
    std::copy(global.begin(), global.end(), last.hierarchy.levels().globalState());
    last.iteration = 6;
    for (int step = 6; step < 9; ++step) last.step(g[static_cast<std::size_t>(step)], c.options);
    double worst = 0;
    for (std::size_t t = 0; t < c.lengths.size(); ++t) {
      worst = std::max(worst, distance(last.state(t).hidden, whole.state(t).hidden));
      worst = std::max(worst, movement(last.parameters[t], whole.parameters[t], std::vector<float>(c.lengths[t], 0.0f)));
    }
    const std::string where = describe(c.config) + ", bits " + text(c.stateBits);
    report("%s: %.2g", where.c_str(), worst);
    CHECK_AT_MOST(worst, c.stateBits == 32 ? 1e-3 : 1e-2, where);
  }
}

}  // namespace lo::test
