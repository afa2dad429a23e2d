// The JavaScript class NativeLanes (lanes.ts): steps of many small problems side by side, forward and reverse.
#pragma once

#include <napi.h>

namespace lo {

Napi::Function defineNativeLanes(Napi::Env env);

}  // namespace lo
