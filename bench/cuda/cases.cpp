#include "cases.h"

namespace bench {

namespace {

std::size_t wordsOf(const lo::Config& c, int bits) {
  const std::size_t H = static_cast<std::size_t>(c.hidden), S = static_cast<std::size_t>(c.timescales);
  return bits == 16 ? S + (H + 1) / 2 + 1 : H + 2 * S + 1;
}

// The tensors of a ResNet-50 with 1,000 classes: convolutions without biases, two vectors per normalisation.
std::vector<std::size_t> resNet50() {
  std::vector<std::size_t> lengths;
  const auto convolution = [&](std::size_t size, std::size_t in, std::size_t out) {
    lengths.insert(lengths.end(), {size * size * in * out, out, out});
  };
  convolution(7, 3, 64);
  std::size_t in = 64, width = 64;
  for (const int blocks : {3, 4, 6, 3}) {
    for (int b = 0; b < blocks; ++b) {
      convolution(1, in, width);
      convolution(3, width, width);
      convolution(1, width, 4 * width);
      if (b == 0) convolution(1, in, 4 * width);
      in = 4 * width;
    }
    width *= 2;
  }
  lengths.insert(lengths.end(), {2048 * 1000, 1000});
  return lengths;
}

}  // namespace

lo::test::Model loadModel(const std::string& name) {
  const std::string root = LO_SOURCE_FOLDER;
  if (name == "hrnn-3") return lo::test::readWeights(root + "/weights/hrnn-3.safetensors");
  if (name == "paper") return lo::test::readWeights(root + "/weights/prototype.safetensors");
  if (name == "attention") {
    return lo::test::readReleased(lo::test::JsonReader::read(lo::test::readFile(root + "/test/fixtures/golden/attention.json")));
  }
  throw std::runtime_error("models are hrnn-3, paper and attention, not '" + name + "'");
}

std::size_t resNet50Parameters() {
  std::size_t sum = 0;
  for (const std::size_t n : resNet50()) sum += n;
  return sum;
}

std::vector<std::size_t> lengthsOf(const Case& c) {
  if (c.list == "resnet-50") return resNet50();
  const std::size_t tensors = c.list == "thousand" ? 1000 : 1;
  std::vector<std::size_t> lengths;
  for (std::size_t t = 0; t < tensors; ++t) lengths.push_back(c.parameters * (t + 1) / tensors - c.parameters * t / tensors);
  return lengths;
}

std::size_t bytesPerParameter(const lo::Config& config, int bits) {
  return 8 * wordsOf(config, bits) + 20 + (config.attention() ? 16 : 0);
}

std::size_t memoryOf(const lo::Config& config, const Case& c) {
  // Sums of a segment, and what the tables need.
  const std::size_t sums = 4 * static_cast<std::size_t>(config.hidden + config.inputs() + 4) + 64;
  return c.parameters * (4 * wordsOf(config, c.bits) + 12 + (config.attention() ? 8 : 0)) + c.parameters / 1024 * sums +
         lengthsOf(c).size() * 4096;
}

std::vector<Case> allCases(bool quick) {
  std::vector<Case> cases;
  const std::vector<std::size_t> sizes =
      quick ? std::vector<std::size_t>{1000000, 10000000} : std::vector<std::size_t>{1000000, 10000000, 100000000, 1000000000};
  for (const char* model : {"hrnn-3", "paper", "attention"}) {
    for (const std::size_t n : sizes) {
      for (const int bits : {32, 16}) cases.push_back({model, bits, "one", n});
    }
    const bool preset = std::string(model) == "hrnn-3";
    for (const int bits : {32, 16}) {
      if (!preset && bits == 16) continue;
      cases.push_back({model, bits, "thousand", 10000000});
      cases.push_back({model, bits, "resnet-50", resNet50Parameters()});
    }
  }
  return cases;
}

}  // namespace bench
