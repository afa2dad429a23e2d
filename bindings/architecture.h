// From the JavaScript objects `Architecture` and `ParameterCellWeights` (types.ts) to the native configuration.
#pragma once

#include <napi.h>

#include "../native/optimizer.h"

namespace lo {

Config readArchitecture(Napi::Value value, const std::string& argument);
CellWeights readCellWeights(Napi::Value value, const std::string& argument, const Config& config);

}  // namespace lo
