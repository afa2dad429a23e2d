// CUDA's runtime, or what stands for it on a machine without a device (emulation/emulation.h), and how kernels are launched.
#pragma once

#if defined(LO_CUDA_EMULATED)
#include "emulation/emulation.h"
#define LO_LAUNCH(kernel, grid, stream, ...) \
  ::lo::emulation::launch(grid, ::lo::cuda::kThreads, stream, [=] { kernel(__VA_ARGS__); })
#else
#include <cuda_runtime.h>
#define LO_LAUNCH(kernel, grid, stream, ...) \
  kernel<<<static_cast<unsigned>(grid), ::lo::cuda::kThreads, 0, stream>>>(__VA_ARGS__)
#endif
