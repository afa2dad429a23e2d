// The CUDA library, compiled as plain C++ over the emulation.
#define LO_CUDA_EMULATED
#include "../cuda/device_optimizer.cu"
#include "../cuda/device_state.cu"
#include "../cuda/host_step.cu"
#include "../cuda/lo_cuda.cu"
