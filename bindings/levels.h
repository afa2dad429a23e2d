// From the JavaScript objects `Architecture` and `LevelWeights` (types.ts) to the levels above the parameters.
#pragma once

#include <napi.h>

#include <string>

#include "../native/levels.h"

namespace lo {

// The fields of an architecture that say which levels there are.
struct LevelSizes {
  int levels;
  int tensorHidden;
  int globalHidden;
};

LevelSizes readLevelSizes(Napi::Value architecture, const std::string& argument);
LevelWeights readLevelWeights(Napi::Value value, const std::string& argument, const LevelSizes& sizes,
                              const Config& config);

}  // namespace lo
