// Failures of CUDA as JavaScript errors that say what is left and what to do.
#pragma once

#include <napi.h>

#include "cuda_library.h"

namespace lo {

// A RangeError (memory, arguments) or an Error; its `code` is one of CudaErrorCode (types.ts).
Napi::Error cudaError(Napi::Env env, const CudaFailure& failure);

}  // namespace lo
