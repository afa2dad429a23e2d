#include "model_files.h"

#include <cmath>
#include <cstdint>
#include <cstring>

namespace lo::test {

namespace {

// lib/optimizer/releasedNames.ts
constexpr const char* kReleasedNames[][2] = {
    {"parameter.initialHidden", "Level0_RNN/init_vector"},
    {"tensor.initialHidden", "Level1_RNN/init_vector"},
    {"global.initialHidden", "Level2_RNN/init_vector"},
    {"parameter.update.readout", "update_weights"},
    {"parameter.attention.readout", "attention_weights"},
    {"parameter.scaleDecay.readout", "scl_decay_weights"},
    {"parameter.scaleDecay.bias", "scl_decay_bias"},
    {"parameter.inputDecay.readout", "inp_decay_weights"},
    {"parameter.inputDecay.bias", "inp_decay_bias"},
    {"parameter.learningRate.readout", "learning_rate_weights"},
    {"parameter.learningRate.bias", "learning_rate_bias"},
    {"tensorToParameter.matrix", "PerTensor/Layer0_RNN/Param/Affine/Matrix"},
    {"tensorToParameter.bias", "PerTensor/Layer0_RNN/Param/Affine/Bias"},
    {"globalToParameter.matrix", "PerTensor/Layer0_RNN/Global/Affine/Matrix"},
    {"globalToParameter.bias", "PerTensor/Layer0_RNN/Global/Affine/Bias"},
    {"parameter.cell.gates.matrix", "PerTensor/Layer0_RNN/BiasGRUCell/gates/Affine/Matrix"},
    {"parameter.cell.gates.bias", "PerTensor/Layer0_RNN/BiasGRUCell/gates/Affine/Bias"},
    {"parameter.cell.candidate.matrix", "PerTensor/Layer0_RNN/BiasGRUCell/candidate/Affine/Matrix"},
    {"parameter.cell.candidate.bias", "PerTensor/Layer0_RNN/BiasGRUCell/candidate/Affine/Bias"},
    {"globalToTensor.matrix", "PerTensor/Layer1_RNN/Affine/Matrix"},
    {"globalToTensor.bias", "PerTensor/Layer1_RNN/Affine/Bias"},
    {"tensor.cell.gates.matrix", "PerTensor/Layer1_RNN/BiasGRUCell/gates/Affine/Matrix"},
    {"tensor.cell.gates.bias", "PerTensor/Layer1_RNN/BiasGRUCell/gates/Affine/Bias"},
    {"tensor.cell.candidate.matrix", "PerTensor/Layer1_RNN/BiasGRUCell/candidate/Affine/Matrix"},
    {"tensor.cell.candidate.bias", "PerTensor/Layer1_RNN/BiasGRUCell/candidate/Affine/Bias"},
    {"parameter.update.shortcut", "PerTensor/GradsToDelta/Matrix"},
    {"parameter.attention.shortcut", "PerTensor/GradsToAttnDelta/Matrix"},
    {"parameter.learningRate.momentumLogit", "PerTensor/learning_rate_momentum_logit"},
    {"parameter.stepSizeOffset", "PerTensor/param_stepsize_offset"},
    {"global.cell.gates.matrix", "Layer2_RNN/BiasGRUCell/gates/Affine/Matrix"},
    {"global.cell.gates.bias", "Layer2_RNN/BiasGRUCell/gates/Affine/Bias"},
    {"global.cell.candidate.matrix", "Layer2_RNN/BiasGRUCell/candidate/Affine/Matrix"},
    {"global.cell.candidate.bias", "Layer2_RNN/BiasGRUCell/candidate/Affine/Bias"},
};

Json number(double v) {
  Json j;
  j.kind = Json::Kind::number;
  j.number = v;
  return j;
}
Json word(const std::string& v) {
  Json j;
  j.kind = Json::Kind::text;
  j.text = v;
  return j;
}

std::string textOr(const Json& object, const char* name, const char* otherwise) {
  const Json* const found = object.find(name);
  return found == nullptr ? otherwise : found->text;
}

Config configOf(const Json& a) {
  Config c;
  c.hidden = a.at("parameterHidden").integer();
  c.timescales = a.at("timescales").integer();
  c.maxLogLearningRate = a.at("maxLogLearningRate").number;
  c.gradientScale = a.at("gradientScale").number;
  c.flags = 0;
  const struct {
    const char* name;
    unsigned flag;
  } switches[] = {{"gradientProducts", kGradientProducts},         {"relativeLogMagnitude", kRelativeLogMagnitude},
                  {"relativeLearningRate", kRelativeLearningRate}, {"extremeRateIndicator", kExtremeRateIndicator},
                  {"absoluteLearningRate", kAbsoluteLearningRate}, {"attention", kAttention},
                  {"scaleDecayPerTimescale", kScaleDecayPerTimescale}};
  for (const auto& s : switches) {
    if (a.at(s.name).truth()) c.flags |= s.flag;
  }
  const Json* const scaling = a.find("inputScaling");
  if (scaling != nullptr && !scaling->truth()) c.flags |= kUnscaledInputs;
  if (a.at("learningRateMean").text == "tensor") c.flags |= kTensorLearningRateMean;
  if (textOr(a, "activations", "transcendental") == "algebraic") c.flags |= kAlgebraicActivations;
  return c;
}

class Taker {
 public:
  explicit Taker(const NamedTensors& tensors) : tensors_(tensors) {}
  // Zeros where there is no such tensor.
  std::vector<double> optional(const std::string& name, std::size_t length) const {
    return tensors_.count(name) == 0 ? std::vector<double>(length, 0.0) : required(name, length);
  }
  std::vector<double> required(const std::string& name, std::size_t length) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end() || found->second.size() != length) {
      throw std::runtime_error("weights: expected " + std::to_string(length) + " numbers of '" + name + "'");
    }
    return found->second;
  }
  double scalar(const std::string& name) const { return optional(name, 1)[0]; }
  AffineWeights affine(const std::string& name, int inputs, int outputs) const {
    const std::size_t n = static_cast<std::size_t>(outputs);
    return {required(name + ".matrix", static_cast<std::size_t>(inputs) * n), required(name + ".bias", n)};
  }
  LevelCellWeights cell(const std::string& name, int inputs, int hidden) const {
    return {inputs, hidden, affine(name + ".cell.gates", inputs + hidden, 2 * hidden),
            affine(name + ".cell.candidate", inputs + hidden, hidden),
            required(name + ".initialHidden", static_cast<std::size_t>(hidden))};
  }

 private:
  const NamedTensors& tensors_;
};

}  // namespace

Model makeModel(const Json& architecture, const NamedTensors& tensors) {
  const Taker take(tensors);
  Model m;
  CellWeights& c = m.cell;
  c.config = configOf(architecture);
  const std::size_t H = static_cast<std::size_t>(c.config.hidden), S = static_cast<std::size_t>(c.config.timescales);
  const AffineWeights gates = take.affine("parameter.cell.gates", c.config.inputs() + c.config.hidden, 2 * c.config.hidden);
  const AffineWeights candidate = take.affine("parameter.cell.candidate", c.config.inputs() + c.config.hidden, c.config.hidden);
  c.gates = gates.matrix;
  c.candidate = candidate.matrix;
  c.initialHidden = take.required("parameter.initialHidden", H);
  c.updateReadout = take.required("parameter.update.readout", H);
  c.updateShortcut = take.optional("parameter.update.shortcut", S);
  c.attentionReadout = take.optional("parameter.attention.readout", H);
  c.attentionShortcut = take.optional("parameter.attention.shortcut", S);
  c.scaleDecayReadout = take.optional("parameter.scaleDecay.readout", H);
  c.inputDecayReadout = take.optional("parameter.inputDecay.readout", H);
  c.rateReadout = take.optional("parameter.learningRate.readout", H);
  c.scaleDecayBias = take.scalar("parameter.scaleDecay.bias");
  c.inputDecayBias = take.scalar("parameter.inputDecay.bias");
  c.rateBias = take.scalar("parameter.learningRate.bias");
  c.rateMomentum = 1 / (1 + std::exp(-take.scalar("parameter.learningRate.momentumLogit")));
  c.stepOffset = take.scalar("parameter.stepSizeOffset");

  LevelWeights& l = m.levels;
  l.levels = architecture.at("levels").integer();
  l.cellBias = gates.bias;
  l.cellBias.insert(l.cellBias.end(), candidate.bias.begin(), candidate.bias.end());
  const int width = 3 * c.config.hidden;
  if (l.levels > 1) {
    l.tensor = take.cell("tensor", c.config.tensorInputs(), architecture.at("tensorHidden").integer());
    l.tensorToParameter = take.affine("tensorToParameter", l.tensor.hidden, width);
  }
  if (l.levels > 2) {
    l.global = take.cell("global", l.tensor.hidden, architecture.at("globalHidden").integer());
    l.globalToParameter = take.affine("globalToParameter", l.global.hidden, width);
    l.globalToTensor = take.affine("globalToTensor", l.global.hidden, 3 * l.tensor.hidden);
  }
  return m;
}

Model readWeights(const std::string& path) {
  const std::string file = readFile(path);
  std::uint64_t size = 0;
  if (file.size() < 8) throw std::runtime_error(path + ": too short");
  std::memcpy(&size, file.data(), 8);
  if (size > file.size() - 8) throw std::runtime_error(path + ": too short");
  const std::size_t begin = 8 + static_cast<std::size_t>(size);
  const Json header = JsonReader::read(file.substr(8, static_cast<std::size_t>(size)));
  NamedTensors tensors;
  for (const auto& [name, entry] : header.members) {
    if (name == "__metadata__") continue;
    const std::vector<double> range = entry.at("data_offsets").numbers();
    const std::size_t from = begin + static_cast<std::size_t>(range.at(0)), to = begin + static_cast<std::size_t>(range.at(1));
    if (entry.at("dtype").text != "F32" || to > file.size() || from > to) throw std::runtime_error(path + ": " + name);
    std::vector<float> values((to - from) / sizeof(float));
    std::memcpy(values.data(), file.data() + from, values.size() * sizeof(float));
    tensors[name] = std::vector<double>(values.begin(), values.end());
  }
  return makeModel(JsonReader::read(header.at("__metadata__").at("architecture").text), tensors);
}

Model readReleased(const Json& golden) {
  const Json& c = golden.at("config");
  const std::vector<double> sizes = c.at("levelSizes").numbers();
  Json a;
  a.kind = Json::Kind::object;
  a.members = {{"levels", number(static_cast<double>(sizes.size()))},
               {"parameterHidden", number(sizes.at(0))},
               {"tensorHidden", number(sizes.size() > 1 ? sizes[1] : 0)},
               {"globalHidden", number(sizes.size() > 2 ? sizes[2] : 0)},
               {"timescales", c.at("num_gradient_scales")},
               {"gradientProducts", c.at("use_grad_products")},
               {"relativeLogMagnitude", c.at("use_log_means_squared")},
               {"relativeLearningRate", c.at("use_relative_lr")},
               {"extremeRateIndicator", c.at("use_extreme_indicator")},
               {"absoluteLearningRate", c.at("use_lr_shortcut")},
               {"attention", c.at("use_attention")},
               {"scaleDecayPerTimescale", c.at("use_multiple_scale_decays")},
               {"learningRateMean", word(c.at("use_problem_lr_mean").truth() ? "problem" : "tensor")},
               {"maxLogLearningRate", c.at("max_log_lr")},
               {"gradientScale", number(1)}};
  NamedTensors tensors;
  const Json& variables = golden.at("metaVariables");
  for (const auto& name : kReleasedNames) {
    const Json* const v = variables.find("LOL/" + std::string(name[1]) + ":0");
    if (v != nullptr) tensors[name[0]] = v->at("data").numbers();
  }
  // The decays that the released code uses where it does not learn them.
  if (tensors.count("parameter.scaleDecay.bias") == 0) tensors["parameter.scaleDecay.bias"] = {std::log(0.93 / 0.07)};
  if (tensors.count("parameter.inputDecay.bias") == 0) tensors["parameter.inputDecay.bias"] = {std::log(0.89 / 0.11)};
  return makeModel(a, tensors);
}

}  // namespace lo::test
