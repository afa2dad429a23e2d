// The CUDA library (native/cuda/lo_cuda.h), loaded at run time from a path: nothing of CUDA is linked. It stays loaded.
#pragma once

#include <stdexcept>
#include <string>

#include "../native/cuda/lo_cuda.h"

namespace lo {

#define LO_CUDA_FUNCTIONS(X)                                                                                        \
  X(last_error) X(device_count) X(describe_device) X(create) X(destroy) X(add_tensor) X(remove_tensor) X(step)     \
  X(step_host) X(report) X(export_tensor) X(import_tensor) X(export_global) X(import_global) X(has_position)       \
  X(export_position) X(reset_position) X(bytes) X(use_device) X(allocate) X(free) X(upload) X(download) X(synchronize)

struct CudaLibrary {
#define LO_CUDA_MEMBER(name) decltype(&lo_cuda_##name) name = nullptr;
  LO_CUDA_FUNCTIONS(LO_CUDA_MEMBER)
#undef LO_CUDA_MEMBER
};

// The library at `path`, loaded once per process. Null where it cannot be used, and `problem` says why, beginning with the path.
const CudaLibrary* loadCudaLibrary(const std::string& path, std::string& problem);

// What a function of the library reports, with its text.
class CudaFailure : public std::runtime_error {
 public:
  CudaFailure(lo_cuda_status status, const std::string& text) : std::runtime_error(text), status(status) {}
  const lo_cuda_status status;
};

// Throws CudaFailure unless the call succeeded.
void checkCuda(const CudaLibrary& library, lo_cuda_status status);

}  // namespace lo
