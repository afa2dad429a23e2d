// A session on a CUDA device.
#pragma once

#include "../native/levels.h"
#include "session.h"

namespace lo {

// `cuda` is a CudaPlace (types.ts). Besides JavaScript errors it and the session's functions throw CudaFailure.
std::shared_ptr<Session> createCudaSession(Napi::Value cuda, const CellWeights& cell, const LevelWeights& levels, int stateBits);

}  // namespace lo
