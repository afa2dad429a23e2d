// The functions laneResiduals and laneRegression (lanes.ts): objectives of many problems side by side.
#pragma once

#include <napi.h>

namespace lo {

Napi::Value laneResiduals(const Napi::CallbackInfo& info);
Napi::Value laneRegression(const Napi::CallbackInfo& info);

}  // namespace lo
