// A step allocates nothing once a step of the same tensors has been made. This file replaces the allocation functions of
// the whole test program by counting ones.
#include <atomic>
#include <cstdlib>
#include <new>

#include "support.h"
#include "../hierarchy.h"

namespace {

std::atomic<std::size_t> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace lo::test {

namespace {

LevelWeights plainLevels(const Config& config) {
  constexpr int tensor = 20, global = 20;
  const auto affine = [](int inputs, int outputs) {
    return AffineWeights{std::vector<double>(static_cast<std::size_t>(inputs * outputs), 0.01),
                         std::vector<double>(static_cast<std::size_t>(outputs), 0.1)};
  };
  const auto cell = [&](int inputs, int hidden) {
    return LevelCellWeights{inputs, hidden, affine(inputs + hidden, 2 * hidden), affine(inputs + hidden, hidden),
                            std::vector<double>(static_cast<std::size_t>(hidden), 0.1)};
  };
  LevelWeights w;
  w.levels = 3;
  w.cellBias.assign(static_cast<std::size_t>(3 * config.hidden), 0.1);
  w.tensor = cell(config.tensorInputs(), tensor);
  w.global = cell(tensor, global);
  w.tensorToParameter = affine(tensor, 3 * config.hidden);
  w.globalToParameter = affine(global, 3 * config.hidden);
  w.globalToTensor = affine(global, 3 * tensor);
  return w;
}

void holdSteadySteps(const Config& config, const Kernels<float>* kernels, unsigned threads, double clipNorm) {
  Hierarchy<float> hierarchy(randomWeights(config, 5), plainLevels(config), kernels, threads);
  std::vector<int> handles;
  std::vector<std::vector<float>> parameters, gradients;
  std::vector<float*> parameterViews;
  std::vector<const float*> gradientViews;
  Random random(6);
  for (std::size_t t = 0; t < 300; ++t) {
    const std::size_t length = t == 0 ? 5000 : 1 + random.below(64);
    handles.push_back(hierarchy.addTensor(length, -6.0f));
    parameters.emplace_back(length, 0.0f);
    gradients.push_back(randomGradient(length, random));
  }
  gradients[7][0] = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t t = 0; t < handles.size(); ++t) {
    parameterViews.push_back(parameters[t].data());
    gradientViews.push_back(gradients[t].data());
  }
  const auto step = [&] {
    hierarchy.advance(handles.data(), handles.size(), gradientViews.data(), clipNorm);
    hierarchy.parameters().apply(parameterViews.data(), 1.0, 0.01);
  };
  step();
  const std::size_t before = allocations.load(), bytes = hierarchy.bytes();
  for (int i = 0; i < 20; ++i) step();
  // Before the checks, which allocate.
  const std::size_t made = allocations.load() - before;
  CHECK_EQUAL(made, std::size_t{0});
  CHECK_EQUAL(hierarchy.bytes(), bytes);
}

}  // namespace

TEST("steps of the same tensors allocate nothing after the first") {
  // That the counting functions are in force. Seen through a volatile pointer: a compiler may leave out what nobody sees.
  const std::size_t before = allocations.load();
  void* volatile seen = ::operator new(16);
  ::operator delete(seen);
  CHECK(allocations.load() > before);

  Config attention = presetConfig();
  attention.flags |= kAttention;
  for (const Kernels<float>* kernels : testedKernels()) {
    for (const unsigned threads : {1u, 3u}) {
      holdSteadySteps(presetConfig(), kernels, threads, std::numeric_limits<double>::infinity());
      holdSteadySteps(attention, kernels, threads, 1.0);
    }
  }
}

}  // namespace lo::test
