#include "support.h"

#include <cmath>

#include "../dispatch.h"

namespace lo::test {

namespace {

std::vector<const Kernels<float>*>& selection() {
  static std::vector<const Kernels<float>*> list = everyKernel();
  return list;
}

double asFloat(double x) { return static_cast<double>(static_cast<float>(x)); }

}  // namespace

bool isKnownIsa(const std::string& name) {
  for (const char* known : {"", "avx512", "avx2", "baseline", "neon", "portable"}) {
    if (name == known) return true;
  }
  return false;
}

bool selectIsa(const std::string& name) {
  if (name.empty()) return true;
  selection().clear();
  for (const Kernels<float>* kernels : everyKernel()) {
    if (name == kernels->isa) selection().push_back(kernels);
  }
  return !selection().empty();
}

const std::vector<const Kernels<float>*>& testedKernels() { return selection(); }

const std::vector<const Kernels<float>*>& everyKernel() {
  static const std::vector<const Kernels<float>*> list = [] {
    std::vector<const Kernels<float>*> all = availableKernels();
    if (portableKernels() != nullptr) all.push_back(portableKernels());
    return all;
  }();
  return list;
}

std::uint64_t Random::bits() {
  // SplitMix64
  state_ += 0x9e3779b97f4a7c15u;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double Random::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(6.283185307179586 * uniform());
}

CellWeights randomWeights(const Config& config, std::uint64_t seed) {
  Random random(seed);
  const std::size_t H = static_cast<std::size_t>(config.hidden), S = static_cast<std::size_t>(config.timescales);
  const std::size_t rows = H + static_cast<std::size_t>(config.inputs());
  const auto draw = [&random](std::size_t n, double size) {
    std::vector<double> v(n);
    for (double& x : v) x = asFloat(size * random.normal());
    return v;
  };
  const double unit = 1 / std::sqrt(static_cast<double>(rows)), head = 1 / std::sqrt(static_cast<double>(H));
  CellWeights w;
  w.config = config;
  w.gates = draw(rows * 2 * H, unit);
  w.candidate = draw(rows * H, unit);
  w.initialHidden = draw(H, 0.3);
  w.updateReadout = draw(H, head);
  w.updateShortcut = draw(S, 0.3);
  w.attentionReadout = draw(H, head);
  w.attentionShortcut = draw(S, 0.3);
  w.scaleDecayReadout = draw(H, head);
  w.inputDecayReadout = draw(H, head);
  w.rateReadout = draw(H, 0.3 * head);
  // Decays from 0.27 to 0.998, so that both ends of σ and its complement matter.
  w.scaleDecayBias = asFloat(-1 + 7 * random.uniform());
  w.inputDecayBias = asFloat(-1 + 7 * random.uniform());
  w.rateBias = asFloat(0.1 * random.normal());
  w.rateMomentum = asFloat(0.5 + 0.49 * random.uniform());
  w.stepOffset = asFloat(0.5 * random.normal());
  return w;
}

Config makeConfig(int hidden, int timescales, unsigned flags) {
  Config config;
  config.hidden = hidden;
  config.timescales = timescales;
  config.flags = flags;
  return config;
}

Config presetConfig() {
  Config config = makeConfig(6, 4, kPaperInputs | kAbsoluteLearningRate);
  config.maxLogLearningRate = -4.5;
  config.gradientScale = 0x1p20;
  return config;
}

std::string describe(const Config& config) {
  static const char* const names[] = {" products",      " logMagnitude", " relativeRate",       " extremeRate",
                                      " absoluteRate",  " attention",    " decayPerTimescale",  " tensorMean",  " algebraic",
                                      " unscaled"};
  std::string s = "hidden " + text(config.hidden) + " timescales " + text(config.timescales);
  for (unsigned i = 0; i < 10; ++i) {
    if ((config.flags >> i & 1u) != 0) s += names[i];
  }
  return s;
}

std::vector<float> randomGradient(std::size_t length, Random& random, double magnitude) {
  std::vector<float> g(length);
  for (float& v : g) v = static_cast<float>(magnitude * random.normal() * std::pow(10.0, 6 * random.uniform() - 5));
  return g;
}

std::vector<float> randomValues(std::size_t length, Random& random) {
  std::vector<float> values(length);
  for (float& v : values) v = static_cast<float>(random.normal());
  return values;
}

}  // namespace lo::test
