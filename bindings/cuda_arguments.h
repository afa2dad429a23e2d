// Checks of JavaScript values that concern a CUDA device. That an address is one of device memory cannot be checked.
#pragma once

#include <napi.h>

#include <string>

#include "cuda_library.h"

namespace lo {

// The library at a path.
const CudaLibrary& requireCudaLibrary(Napi::Value path, const std::string& argument);
// RangeError that says how many devices there are, CudaFailure when there is none.
void requireCudaDevice(Napi::Env env, const CudaLibrary& library, const std::string& argument, int device);
// A bigint from 0 to 2^64 − 1.
std::uint64_t requireAddress(Napi::Value value, const std::string& argument);
// A cudaStream_t as a bigint; undefined is the default stream.
void* requireStream(Napi::Value value, const std::string& argument);
// Where floats may lie: not null, a multiple of 4. The name is only made when something is wrong.
float* requireFloats(Napi::Env env, std::uint64_t address, const char* argument, std::size_t index);

}  // namespace lo
