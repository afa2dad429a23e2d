#include "cuda_calls.h"

#include "arguments.h"
#include "cuda_arguments.h"
#include "cuda_errors.h"

namespace lo {

namespace {

// Calls body with the library at the path that is the first argument.
template <class Body>
Napi::Value withLibrary(const Napi::CallbackInfo& call, Body&& body) {
  try {
    return body(requireCudaLibrary(call[0], "library"));
  } catch (const CudaFailure& failure) {
    throw cudaError(call.Env(), failure);
  }
}

// The same with the device of the second argument the current one.
template <class Body>
Napi::Value onDevice(const Napi::CallbackInfo& call, Body&& body) {
  return withLibrary(call, [&](const CudaLibrary& library) {
    const int device = requireInteger(call[1], "deviceIndex", 0, 2147483647.0);
    requireCudaDevice(call.Env(), library, "deviceIndex", device);
    checkCuda(library, library.use_device(device));
    return body(library);
  });
}

void* pointerOf(Napi::Value address) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(requireAddress(address, "deviceAddress")));
}

// (library) → CudaDevice[]
Napi::Value devices(const Napi::CallbackInfo& call) {
  return withLibrary(call, [&](const CudaLibrary& library) {
    int count = 0;
    checkCuda(library, library.device_count(&count));
    Napi::Array out = Napi::Array::New(call.Env());
    for (int i = 0; i < count; ++i) {
      lo_cuda_device d;
      checkCuda(library, library.describe_device(i, &d));
      Napi::Object one = Napi::Object::New(call.Env());
      one.Set("index", i);
      one.Set("name", std::string(d.name));
      one.Set("computeCapability", std::to_string(d.compute_major) + "." + std::to_string(d.compute_minor));
      one.Set("multiprocessors", d.multiprocessors);
      one.Set("memory", static_cast<double>(d.memory));
      one.Set("freeMemory", static_cast<double>(d.free));
      out.Set(static_cast<std::uint32_t>(i), one);
    }
    return out;
  });
}

// (library, device, bytes) → address
Napi::Value allocate(const Napi::CallbackInfo& call) {
  return onDevice(call, [&](const CudaLibrary& library) {
    const double bytes = requireNumber(call[2], "bytes", 1, 9007199254740991.0);
    void* memory = nullptr;
    checkCuda(library, library.allocate(static_cast<std::size_t>(bytes), &memory));
    return Napi::BigInt::New(call.Env(), static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(memory)));
  });
}

// (library, device, address)
Napi::Value release(const Napi::CallbackInfo& call) {
  return onDevice(call, [&](const CudaLibrary& library) {
    checkCuda(library, library.free(pointerOf(call[2])));
    return call.Env().Undefined();
  });
}

// (library, device, address, Float32Array, length, stream)
template <bool ToDevice>
Napi::Value copy(const Napi::CallbackInfo& call) {
  return onDevice(call, [&](const CudaLibrary& library) {
    void* const device = pointerOf(call[2]);
    const std::size_t length = static_cast<std::size_t>(requireCount(call[4], "length"));
    void* const stream = requireStream(call[5], "stream");
    float* const host = requireTypedArray<float>(call[3], "values", length).data;
    const std::size_t bytes = length * sizeof(float);
    checkCuda(library, ToDevice ? library.upload(device, host, bytes, stream) : library.download(host, device, bytes, stream));
    return call.Env().Undefined();
  });
}

// (library, device, stream)
Napi::Value synchronize(const Napi::CallbackInfo& call) {
  return onDevice(call, [&](const CudaLibrary& library) {
    checkCuda(library, library.synchronize(requireStream(call[2], "stream")));
    return call.Env().Undefined();
  });
}

}  // namespace

void defineCudaCalls(Napi::Env env, Napi::Object exports) {
  exports.Set("cudaDevices", Napi::Function::New<devices>(env, "cudaDevices"));
  exports.Set("cudaAllocate", Napi::Function::New<allocate>(env, "cudaAllocate"));
  exports.Set("cudaFree", Napi::Function::New<release>(env, "cudaFree"));
  exports.Set("cudaUpload", Napi::Function::New<copy<true>>(env, "cudaUpload"));
  exports.Set("cudaDownload", Napi::Function::New<copy<false>>(env, "cudaDownload"));
  exports.Set("cudaSynchronize", Napi::Function::New<synchronize>(env, "cudaSynchronize"));
}

}  // namespace lo
