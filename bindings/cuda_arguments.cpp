#include "cuda_arguments.h"

#include "arguments.h"

namespace lo {

const CudaLibrary& requireCudaLibrary(Napi::Value path, const std::string& argument) {
  std::string problem;
  const CudaLibrary* const library = loadCudaLibrary(requireString(path, argument), problem);
  if (library == nullptr) throw CudaFailure(LO_CUDA_UNAVAILABLE, problem);
  return *library;
}

void requireCudaDevice(Napi::Env env, const CudaLibrary& library, const std::string& argument, int device) {
  int count = 0;
  checkCuda(library, library.device_count(&count));
  if (device < count) return;
  throwRange(env, argument, count == 1 ? "0, the only device" : "a device from 0 to " + std::to_string(count - 1),
             std::to_string(device));
}

std::uint64_t requireAddress(Napi::Value value, const std::string& argument) {
  if (!value.IsBigInt()) throwType(value.Env(), argument, "a bigint", describe(value));
  bool lossless = false;
  const std::uint64_t address = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throwRange(value.Env(), argument, "a bigint from 0 to 2^64 - 1", "one outside of it");
  return address;
}

void* requireStream(Napi::Value value, const std::string& argument) {
  if (value.IsUndefined()) return nullptr;
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(requireAddress(value, argument)));
}

float* requireFloats(Napi::Env env, std::uint64_t address, const char* argument, std::size_t index) {
  if (address == 0 || address % sizeof(float) != 0) {
    throwRange(env, std::string(argument) + "[" + std::to_string(index) + "]", "an address above 0 that is a multiple of 4",
               std::to_string(address));
  }
  return reinterpret_cast<float*>(static_cast<std::uintptr_t>(address));
}

}  // namespace lo
