// Steps of architectures drawn by chance, on the CPU and behind the C interface of native/cuda.
#include "cuda_compare.h"

namespace lo::test {

namespace {

Case randomCase(Random& random) {
  const auto from = [&](int low, int high) { return low + static_cast<int>(random.below(static_cast<std::size_t>(high - low + 1))); };
  Case c;
  c.config = makeConfig(from(1, kMaxHidden), from(1, kMaxTimescales), static_cast<unsigned>(random.bits() & 0x3ffu));
  // A third are architectures that the compiler knows.
  const unsigned common[] = {kPaperInputs, kPaperInputs | kAttention, kPaperInputs | kAbsoluteLearningRate,
                             kPaperInputs | kAbsoluteLearningRate | kAlgebraicActivations};
  const int which = from(0, 11);
  if (which < 4) c.config = makeConfig(which < 2 ? 10 : 6, 4, common[which]);
  c.config.gradientScale = std::ldexp(1.0, 10 * from(0, 2));
  c.config.maxLogLearningRate = random.uniform() < 0.5 ? 33 : -4.5;
  c.levels = from(1, 3);
  c.tensorHidden = random.uniform() < 0.8 ? from(1, 40) : from(41, 256);
  c.globalHidden = random.uniform() < 0.8 ? from(1, 40) : from(41, 256);
  c.stateBits = random.uniform() < 0.5 ? 32 : 16;
  c.magnitude = std::pow(10.0, from(-6, 3));
  c.withBad = random.uniform() < 0.4;
  if (random.uniform() < 0.5) c.options.clipNorm = c.magnitude * std::pow(10.0, from(-2, 2));
  if (random.uniform() < 0.5) c.options.multiplier = random.uniform();
  if (random.uniform() < 0.5) c.options.weightDecay = 0.1 * random.uniform();
  c.lengths.clear();
  for (int tensors = from(1, 12); tensors > 0; --tensors) {
    c.lengths.push_back(static_cast<std::size_t>(random.uniform() < 0.7 ? from(1, 70) : from(71, 2500)));
  }
  c.steps = 2;
  return c;
}

}  // namespace

TEST("CUDA: a step is that of the CPU for architectures, levels, state, options and tensors drawn by chance") {
  Random random(4321);
  std::vector<Case> cases;
  const int configurations = longRun() ? 120 : kQuick ? 3 : 8;
  for (int i = 0; i < configurations; ++i) cases.push_back(randomCase(random));
  compareAll(cases);
}

}  // namespace lo::test
