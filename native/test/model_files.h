// Meta-parameters from files: the weights that ship (weights/*.safetensors), and the golden files of the paper's released code.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "../levels.h"
#include "../optimizer.h"
#include "json.h"

namespace lo::test {

struct Model {
  CellWeights cell;
  LevelWeights levels;
};

// By the names of lib/optimizer/architecture.ts.
using NamedTensors = std::map<std::string, std::vector<double>>;

// `architecture` is as lib/optimizer/architecture.ts has it. Throws std::runtime_error if the tensors do not fit it.
Model makeModel(const Json& architecture, const NamedTensors& tensors);
Model readWeights(const std::string& path);
// Of a golden file: `config` and `metaVariables` have the released code's names.
Model readReleased(const Json& golden);

}  // namespace lo::test
