// Random meta-parameters of the levels above the parameters.
#pragma once

#include <cmath>

#include "../levels.h"
#include "support.h"

namespace lo::test {

struct Sizes {
  int levels, parameter, inputs, tensor, global;
};

inline AffineWeights randomAffine(int inputs, int outputs, Random& random) {
  AffineWeights affine;
  const double unit = 1 / std::sqrt(static_cast<double>(inputs));
  for (int i = 0; i < inputs * outputs; ++i) affine.matrix.push_back(2 * unit * random.normal());
  for (int i = 0; i < outputs; ++i) affine.bias.push_back(0.5 * random.normal());
  return affine;
}

inline LevelCellWeights randomCell(int inputs, int hidden, Random& random) {
  LevelCellWeights cell;
  cell.inputs = inputs;
  cell.hidden = hidden;
  cell.gates = randomAffine(inputs + hidden, 2 * hidden, random);
  cell.candidate = randomAffine(inputs + hidden, hidden, random);
  for (int i = 0; i < hidden; ++i) cell.initialHidden.push_back(0.3 * random.normal());
  return cell;
}

inline LevelWeights randomLevels(const Sizes& s, Random& random) {
  LevelWeights w;
  w.levels = s.levels;
  for (int i = 0; i < 3 * s.parameter; ++i) w.cellBias.push_back(random.normal());
  if (s.levels > 1) {
    w.tensorToParameter = randomAffine(s.tensor, 3 * s.parameter, random);
    w.tensor = randomCell(s.parameter + s.inputs, s.tensor, random);
  }
  if (s.levels > 2) {
    w.globalToParameter = randomAffine(s.global, 3 * s.parameter, random);
    w.globalToTensor = randomAffine(s.global, 3 * s.tensor, random);
    w.global = randomCell(s.tensor, s.global, random);
  }
  return w;
}

}  // namespace lo::test
