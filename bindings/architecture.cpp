#include "architecture.h"

#include "arguments.h"

namespace lo {

Config readArchitecture(Napi::Value value, const std::string& argument) {
  const Napi::Object a = requireObject(value, argument);
  const auto name = [&](const char* key) { return argument + "." + key; };
  Config c;
  c.hidden = requireInteger(a.Get("parameterHidden"), name("parameterHidden"), 1, kMaxHidden);
  c.timescales = requireInteger(a.Get("timescales"), name("timescales"), 1, kMaxTimescales);
  const struct {
    const char* key;
    unsigned flag;
  } switches[] = {
      {"gradientProducts", kGradientProducts},         {"relativeLogMagnitude", kRelativeLogMagnitude},
      {"relativeLearningRate", kRelativeLearningRate}, {"extremeRateIndicator", kExtremeRateIndicator},
      {"absoluteLearningRate", kAbsoluteLearningRate}, {"attention", kAttention},
      {"scaleDecayPerTimescale", kScaleDecayPerTimescale},
  };
  c.flags = 0;
  for (const auto& s : switches) {
    if (requireBoolean(a.Get(s.key), name(s.key))) c.flags |= s.flag;
  }
  if (!requireBoolean(a.Get("inputScaling"), name("inputScaling"))) c.flags |= kUnscaledInputs;
  const std::string mean = requireString(a.Get("learningRateMean"), name("learningRateMean"));
  if (mean == "tensor") {
    c.flags |= kTensorLearningRateMean;
  } else if (mean != "problem") {
    throwRange(value.Env(), name("learningRateMean"), "'problem' or 'tensor'", "'" + mean + "'");
  }
  const std::string activations = requireString(a.Get("activations"), name("activations"));
  if (activations == "algebraic") {
    c.flags |= kAlgebraicActivations;
  } else if (activations != "transcendental") {
    throwRange(value.Env(), name("activations"), "'transcendental' or 'algebraic'", "'" + activations + "'");
  }
  // exp of the upper bound must stay far inside float32.
  c.maxLogLearningRate =
      requireNumber(a.Get("maxLogLearningRate"), name("maxLogLearningRate"), kMinLogLearningRate, 33.0);
  c.gradientScale = requireNumber(a.Get("gradientScale"), name("gradientScale"), 1e-9, 1e9);
  return c;
}

CellWeights readCellWeights(Napi::Value value, const std::string& argument, const Config& config) {
  const Napi::Object w = requireObject(value, argument);
  const std::size_t H = static_cast<std::size_t>(config.hidden), S = static_cast<std::size_t>(config.timescales);
  const std::size_t rows = static_cast<std::size_t>(config.inputs()) + H;
  CellWeights cell;
  cell.config = config;
  const struct {
    const char* key;
    std::vector<double>* target;
    std::size_t length;
  } arrays[] = {
      {"gateMatrix", &cell.gates, rows * 2 * H},
      {"candidateMatrix", &cell.candidate, rows * H},
      {"initialHidden", &cell.initialHidden, H},
      {"updateReadout", &cell.updateReadout, H},
      {"updateShortcut", &cell.updateShortcut, S},
      {"attentionReadout", &cell.attentionReadout, H},
      {"attentionShortcut", &cell.attentionShortcut, S},
      {"scaleDecayReadout", &cell.scaleDecayReadout, H},
      {"inputDecayReadout", &cell.inputDecayReadout, H},
      {"learningRateReadout", &cell.rateReadout, H},
  };
  for (const auto& a : arrays) *a.target = requireWeights(w.Get(a.key), argument + "." + a.key, a.length);
  const struct {
    const char* key;
    double* target;
    double min, max;
  } numbers[] = {
      {"scaleDecayBias", &cell.scaleDecayBias, -1e6, 1e6},
      {"inputDecayBias", &cell.inputDecayBias, -1e6, 1e6},
      {"learningRateBias", &cell.rateBias, -1e6, 1e6},
      {"learningRateMomentum", &cell.rateMomentum, 0, 1},
      {"stepSizeOffset", &cell.stepOffset, -50, 50},
  };
  for (const auto& n : numbers) *n.target = requireNumber(w.Get(n.key), argument + "." + n.key, n.min, n.max);
  return cell;
}

}  // namespace lo
