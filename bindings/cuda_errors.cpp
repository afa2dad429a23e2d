#include "cuda_errors.h"

namespace lo {

namespace {

template <class E>
Napi::Error withCode(Napi::Env env, const char* code, const std::string& text) {
  E error = E::New(env, text);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

}  // namespace

Napi::Error cudaError(Napi::Env env, const CudaFailure& failure) {
  const std::string text = failure.what();
  switch (failure.status) {
    case LO_CUDA_OUT_OF_MEMORY:
      return withCode<Napi::RangeError>(env, "ERR_CUDA_OUT_OF_MEMORY",
                                        "CUDA: out of memory: " + text +
                                            "; nothing has changed. Free memory of the device, or take stateBits: 16");
    case LO_CUDA_INVALID:
      return withCode<Napi::RangeError>(env, "ERR_CUDA_INVALID", "CUDA: " + text);
    case LO_CUDA_UNAVAILABLE:
      return withCode<Napi::Error>(env, "ERR_CUDA_UNAVAILABLE",
                                   "CUDA is not available: " + text + " (device: 'cpu', the default, needs no CUDA)");
    case LO_CUDA_LOST:
      return withCode<Napi::Error>(env, "ERR_CUDA_LOST",
                                   "CUDA: the device was lost: " + text +
                                       ". What was on it is gone and this process cannot use CUDA any more; go on in a new process "
                                       "from the last parameters and state that you saved");
    default:
      return withCode<Napi::Error>(env, "ERR_CUDA_FAILED",
                                   "CUDA: " + text +
                                       ". If this was a step, the optimizer's state is undefined; go on from the last parameters and "
                                       "state that you saved");
  }
}

}  // namespace lo
