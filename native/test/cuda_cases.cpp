// The step of native/cuda against that of the CPU in single precision: the same tests over the emulation and on a device.
#include "cuda_compare.h"

namespace lo::test {

namespace {

const unsigned kPreset = kPaperInputs | kAbsoluteLearningRate;

}  // namespace

TEST("CUDA: a step is that of the CPU for the compiled-in architectures, with 1 to 3 levels and both kinds of state") {
  std::vector<Case> cases;
  for (const int bits : {32, 16}) {
    for (int levels = 1; levels <= 3; ++levels) {
      cases.push_back({makeConfig(10, 4, kPaperInputs), levels});
      cases.back().stateBits = bits;
    }
    for (const Config& config : {makeConfig(10, 4, kPaperInputs | kAttention), presetConfig(),
                                 makeConfig(6, 4, kPreset | kAlgebraicActivations | kTensorLearningRateMean)}) {
      cases.push_back({config});
      cases.back().stateBits = bits;
    }
  }
  compareAll(cases);
}

TEST("CUDA: a step is that of the CPU for other architectures") {
  std::vector<Case> cases;
  for (unsigned flags : {0u, 0xffu, 0x1ffu, 0x3ffu, 0x2bu}) {
    cases.push_back({makeConfig(static_cast<int>(3 + flags % 7), 1 + static_cast<int>(flags % 5), flags)});
    cases.back().config.gradientScale = 1024;
    cases.back().lengths = {1, 40, 1100};
    cases.back().stateBits = flags % 2 == 0 ? 32 : 16;
    cases.back().tensorHidden = 1 + static_cast<int>(flags % 150);
    cases.back().globalHidden = 1 + static_cast<int>(flags % 40);
  }
  cases.push_back({makeConfig(kMaxHidden, kMaxTimescales, 0xff)});
  cases.back().lengths = {17, 200};
  cases.back().tensorHidden = 200;
  compareAll(cases);
}

TEST("CUDA: clipping, weight decay and a multiplier, gradients that are not finite, and of any size") {
  std::vector<Case> cases;
  for (const double magnitude : {1e-12, 1e-2, 1e12}) {
    for (const unsigned more : {0u, +kAttention}) {
      Case c{makeConfig(10, 4, kPaperInputs | more)};
      c.options = {0.1 * magnitude, 0.3, 0.01};
      c.magnitude = magnitude;
      c.withBad = true;
      c.lengths = {1, 33, 1500};
      cases.push_back(c);
      c.stateBits = 16;
      cases.push_back(c);
    }
  }
  compareAll(cases);
}

TEST("CUDA: hundreds of small tensors beside a larger one") {
  Case c{presetConfig()};
  c.lengths.clear();
  for (std::size_t t = 0; t < (kQuick ? 40 : 150); ++t) c.lengths.push_back(1 + t % 23);
  c.lengths.push_back(kQuick ? 2000 : 129 * 1024 + 5);
  c.steps = 1;
  compareAll({c});
}

TEST("CUDA: an exported state, imported into another optimizer, goes on with the same bits") {
  for (const int bits : {32, 16}) {
    Case c{makeConfig(10, 4, kPaperInputs | kAttention)};
    const CellWeights cell = randomWeights(c.config, 77);
    const LevelWeights levels = levelsFor(c, 78);
    DeviceRun one(cell, levels, c.lengths, bits), other(cell, levels, c.lengths, bits);
    Random random(79);
    for (int step = 0; step < 3; ++step) one.step(gradientsFor(c, random), c.options);
    for (std::size_t t = 0; t < c.lengths.size(); ++t) {
      other.setState(t, one.state(t), one.tensorState(t));
      other.parameters[t].set(one.parameters[t].get());
    }
    require(lo_cuda_import_global(other.optimizer, one.globalState().data()));
    other.iteration = one.iteration;
    CHECK_SAME_BITS(other.everything(), one.everything());
    for (int step = 0; step < 2; ++step) {
      const auto gradients = gradientsFor(c, random);
      one.step(gradients, c.options);
      other.step(gradients, c.options);
    }
    CHECK_SAME_BITS(other.everything(), one.everything());
  }
}

TEST("CUDA: bad arguments are refused with a text, and tensors come and go") {
  Case c{makeConfig(10, 4, kPaperInputs)};
  const CellWeights cell = randomWeights(c.config, 80);
  const LevelWeights levels = levelsFor(c, 81);
  lo_cuda_architecture bad = architectureOf(cell, levels);
  bad.hidden = 33;
  const lo_cuda_weights weights = weightsOf(cell, levels);
  lo_cuda_optimizer* none = nullptr;
  CHECK_EQUAL(lo_cuda_create(&bad, &weights, 0, &none), LO_CUDA_INVALID);
  CHECK_EQUAL(std::string(lo_cuda_last_error()), std::string("hidden: expected 1 to 32"));
  CHECK(none == nullptr);
  DeviceRun run(cell, levels, {5, 6});
  CHECK_EQUAL(lo_cuda_remove_tensor(run.optimizer, 9), LO_CUDA_INVALID);
  Random random(82);
  run.step({randomGradient(5, random), randomGradient(6, random)}, c.options);
  const std::uint64_t bytes = lo_cuda_bytes(run.optimizer);
  require(lo_cuda_remove_tensor(run.optimizer, run.handles[1]));
  CHECK(lo_cuda_bytes(run.optimizer) < bytes);
  const float* gradient = run.gradients[1].data();
  float* parameter = run.parameters[1].data();
  lo_cuda_step_request request{1, &run.handles[1], &gradient, &parameter, INFINITY, 1, 0, 1};
  CHECK_EQUAL(lo_cuda_step(run.optimizer, &request, nullptr), LO_CUDA_INVALID);
  const std::vector<float> rates = {-3, -4, -5};
  require(lo_cuda_add_tensor(run.optimizer, 3, rates.data(), 0, &run.handles[1]));
  run.lengths[1] = 3;
  CHECK_SAME_BITS(run.state(1).logRate, rates);
}

}  // namespace lo::test
