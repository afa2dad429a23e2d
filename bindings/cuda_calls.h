// Functions of the addon about CUDA devices and their memory (bindings/cuda.ts).
#pragma once

#include <napi.h>

namespace lo {

void defineCudaCalls(Napi::Env env, Napi::Object exports);

}  // namespace lo
