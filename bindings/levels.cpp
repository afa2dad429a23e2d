#include "levels.h"

#include "arguments.h"

namespace lo {

LevelSizes readLevelSizes(Napi::Value architecture, const std::string& argument) {
  const Napi::Object a = requireObject(architecture, argument);
  LevelSizes sizes;
  sizes.levels = requireInteger(a.Get("levels"), argument + ".levels", 1, 3);
  sizes.tensorHidden =
      requireInteger(a.Get("tensorHidden"), argument + ".tensorHidden", sizes.levels > 1 ? 1 : 0, kMaxCell);
  sizes.globalHidden =
      requireInteger(a.Get("globalHidden"), argument + ".globalHidden", sizes.levels > 2 ? 1 : 0, kMaxCell);
  return sizes;
}

LevelWeights readLevelWeights(Napi::Value value, const std::string& argument, const LevelSizes& sizes,
                              const Config& config) {
  const Napi::Object w = requireObject(value, argument);
  const auto read = [&](const std::string& key, int length) {
    return requireWeights(w.Get(key), argument + "." + key, static_cast<std::size_t>(length));
  };
  const auto readAffine = [&](const std::string& key, int inputs, int outputs) {
    return AffineWeights{read(key + "Matrix", inputs * outputs), read(key + "Bias", outputs)};
  };
  const auto readCell = [&](const std::string& key, int inputs, int hidden) {
    LevelCellWeights cell;
    cell.inputs = inputs;
    cell.hidden = hidden;
    cell.gates = readAffine(key + "Gates", inputs + hidden, 2 * hidden);
    cell.candidate = readAffine(key + "Candidate", inputs + hidden, hidden);
    cell.initialHidden = read(key + "InitialHidden", hidden);
    return cell;
  };
  const int H = config.hidden, tensor = sizes.tensorHidden, global = sizes.globalHidden;
  LevelWeights levels;
  levels.levels = sizes.levels;
  levels.cellBias = read("cellBias", 3 * H);
  if (sizes.levels > 1) {
    levels.tensorToParameter = readAffine("tensorToParameter", tensor, 3 * H);
    levels.tensor = readCell("tensor", config.tensorInputs(), tensor);
  }
  if (sizes.levels > 2) {
    levels.globalToParameter = readAffine("globalToParameter", global, 3 * H);
    levels.globalToTensor = readAffine("globalToTensor", global, 3 * tensor);
    levels.global = readCell("global", tensor, global);
  }
  return levels;
}

}  // namespace lo
