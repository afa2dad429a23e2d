// The C interface: arguments are checked, and no exception leaves.
#include "lo_cuda.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>

#include "device_optimizer.h"

struct lo_cuda_optimizer {
  lo::cuda::DeviceOptimizer own;
};

namespace {

using lo::cuda::check;
using lo::cuda::Failure;

thread_local char lastError[512] = "";

lo_cuda_status fail(lo_cuda_status status, const char* text) {
  std::snprintf(lastError, sizeof lastError, "%s", text);
  return status;
}

template <class Body>
lo_cuda_status guarded(Body&& body) {
  try {
    body();
    return LO_CUDA_OK;
  } catch (const Failure& f) {
    return fail(f.status, f.text.c_str());
  } catch (const std::bad_alloc&) {
    return fail(LO_CUDA_OUT_OF_MEMORY, "out of host memory");
  } catch (...) {
    return fail(LO_CUDA_FAILED, "an unknown error");
  }
}

void require(bool holds, const char* text) {
  if (!holds) throw Failure{LO_CUDA_INVALID, text};
}

void checkArchitecture(const lo_cuda_architecture& a) {
  require(a.hidden >= 1 && a.hidden <= lo::kMaxHidden, "hidden: expected 1 to 32");
  require(a.timescales >= 1 && a.timescales <= lo::kMaxTimescales, "timescales: expected 1 to 5");
  require(a.levels >= 1 && a.levels <= 3, "levels: expected 1, 2 or 3");
  require(a.levels < 2 || (a.tensor_hidden >= 1 && a.tensor_hidden <= lo::kMaxCell), "tensor_hidden: expected 1 to 256");
  require(a.levels < 3 || (a.global_hidden >= 1 && a.global_hidden <= lo::kMaxCell), "global_hidden: expected 1 to 256");
  require(a.state_bits == 16 || a.state_bits == 32, "state_bits: expected 16 or 32");
}

// The number of devices, or a Failure that says why there is none.
int countDevices() {
  int driver = 0, runtime = 0, count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return count;
  cudaGetLastError();
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  char text[300];
  const int need[] = {runtime / 1000, runtime % 1000 / 10}, have[] = {driver / 1000, driver % 1000 / 10};
  if (driver == 0) {
    std::snprintf(text, sizeof text, "no NVIDIA driver was found (this library needs one for CUDA %d)", need[0]);
  } else if (error == cudaSuccess || error == cudaErrorNoDevice) {
    std::snprintf(text, sizeof text, "the NVIDIA driver (for CUDA %d.%d) reports no device", have[0], have[1]);
  } else {
    std::snprintf(text, sizeof text, "%s (the driver is for CUDA %d.%d, this library for %d.%d)", cudaGetErrorString(error),
                  have[0], have[1], need[0], need[1]);
  }
  throw Failure{LO_CUDA_UNAVAILABLE, text};
}

void requireDevice(int device) { require(device >= 0 && device < countDevices(), "device: there is none of that number"); }

lo::cuda::DeviceOptimizer& optimizerOf(lo_cuda_optimizer* o) {
  require(o != nullptr, "optimizer: expected one, got null");
  return o->own;
}

lo::cuda::DeviceOptimizer& optimizerWith(lo_cuda_optimizer* o, int handle) {
  require(optimizerOf(o).has(handle), "tensor: no such handle");
  return o->own;
}

void checkStep(lo_cuda_optimizer* o, const lo_cuda_step_request* r) {
  const auto& own = optimizerOf(o);
  require(r != nullptr && r->tensors && r->gradients && r->parameters, "request: expected tensors, gradients and parameters");
  require(r->count > 0, "request: expected at least one tensor");
  for (size_t t = 0; t < r->count; ++t) {
    require(own.has(r->tensors[t]), "tensors: no such handle");
    require(r->gradients[t] != nullptr, "gradients: expected memory, got null");
  }
}

void checkState(const lo_cuda_state* s) {
  require(s != nullptr && s->hidden && s->momentum && s->scale && s->log_rate, "state: expected all fields");
}

}  // namespace

extern "C" {

uint32_t lo_cuda_abi(void) { return LO_CUDA_ABI; }
const char* lo_cuda_last_error(void) { return lastError; }

lo_cuda_status lo_cuda_device_count(int* count) {
  return guarded([&] {
    *count = 0;
    *count = countDevices();
  });
}

lo_cuda_status lo_cuda_describe_device(int device, lo_cuda_device* out) {
  return guarded([&] {
    requireDevice(device);
    cudaDeviceProp p;
    std::size_t free = 0, total = 0;
    int before = 0;
    check(cudaGetDeviceProperties(&p, device), "asking for a device's properties");
    check(cudaGetDevice(&before), "asking for the device");
    check(cudaSetDevice(device), "choosing the device");
    const cudaError_t error = cudaMemGetInfo(&free, &total);
    cudaSetDevice(before);
    check(error, "asking for free memory");
    *out = {};
    std::snprintf(out->name, sizeof out->name, "%s", p.name);
    out->compute_major = p.major;
    out->compute_minor = p.minor;
    out->multiprocessors = p.multiProcessorCount;
    out->memory = p.totalGlobalMem;
    out->free = free;
  });
}

lo_cuda_status lo_cuda_create(const lo_cuda_architecture* a, const lo_cuda_weights* w, int device, lo_cuda_optimizer** out) {
  return guarded([&] {
    require(a != nullptr && w != nullptr && out != nullptr, "create: expected architecture, weights and a place for the result");
    *out = nullptr;
    checkArchitecture(*a);
    requireDevice(device);
    *out = new lo_cuda_optimizer{{*a, *w, device}};
  });
}

void lo_cuda_destroy(lo_cuda_optimizer* o) { delete o; }

lo_cuda_status lo_cuda_add_tensor(lo_cuda_optimizer* o, size_t length, const float* rates, float rate, int* handle) {
  return guarded([&] {
    require(length > 0 && handle != nullptr, "length: expected at least 1");
    *handle = optimizerOf(o).add(length, rates, rate);
  });
}

lo_cuda_status lo_cuda_remove_tensor(lo_cuda_optimizer* o, int handle) {
  return guarded([&] { optimizerWith(o, handle).remove(handle); });
}

lo_cuda_status lo_cuda_step(lo_cuda_optimizer* o, const lo_cuda_step_request* r, void* stream) {
  return guarded([&] {
    checkStep(o, r);
    o->own.step(*r, static_cast<cudaStream_t>(stream));
  });
}

lo_cuda_status lo_cuda_step_host(lo_cuda_optimizer* o, const lo_cuda_step_request* r, lo_cuda_step_report* report) {
  return guarded([&] {
    checkStep(o, r);
    const lo_cuda_step_report own = o->own.stepHost(*r);
    if (report != nullptr) *report = own;
  });
}

lo_cuda_status lo_cuda_report(lo_cuda_optimizer* o, lo_cuda_step_report* out) {
  return guarded([&] { *out = optimizerOf(o).report(); });
}

lo_cuda_status lo_cuda_export_tensor(lo_cuda_optimizer* o, int handle, const lo_cuda_state* out) {
  return guarded([&] {
    auto& own = optimizerWith(o, handle);
    checkState(out);
    own.exportTensor(handle, *out);
  });
}

lo_cuda_status lo_cuda_import_tensor(lo_cuda_optimizer* o, int handle, const lo_cuda_state* in) {
  return guarded([&] {
    auto& own = optimizerWith(o, handle);
    checkState(in);
    require(in->position == nullptr || own.hasAttention(), "position: only with attention");
    own.importTensor(handle, *in);
  });
}

lo_cuda_status lo_cuda_export_global(lo_cuda_optimizer* o, float* out) {
  return guarded([&] {
    require(optimizerOf(o).hasGlobal(), "global state: only with three levels");
    o->own.exportGlobal(out);
  });
}

lo_cuda_status lo_cuda_import_global(lo_cuda_optimizer* o, const float* in) {
  return guarded([&] {
    require(optimizerOf(o).hasGlobal(), "global state: only with three levels");
    o->own.importGlobal(in);
  });
}

lo_cuda_status lo_cuda_has_position(lo_cuda_optimizer* o, int handle, int* out) {
  return guarded([&] { *out = optimizerWith(o, handle).hasPosition(handle) ? 1 : 0; });
}

lo_cuda_status lo_cuda_export_position(lo_cuda_optimizer* o, int handle, float* out) {
  return guarded([&] {
    auto& own = optimizerWith(o, handle);
    require(own.hasPosition(handle), "position: the state holds none");
    own.exportPosition(handle, out);
  });
}

lo_cuda_status lo_cuda_reset_position(lo_cuda_optimizer* o, int handle) {
  return guarded([&] { optimizerWith(o, handle).resetPosition(handle); });
}

uint64_t lo_cuda_bytes(const lo_cuda_optimizer* o) { return o == nullptr ? 0 : o->own.bytes(); }

lo_cuda_status lo_cuda_use_device(int device) {
  return guarded([&] {
    requireDevice(device);
    check(cudaSetDevice(device), "choosing the device");
  });
}

lo_cuda_status lo_cuda_allocate(size_t bytes, void** out) {
  return guarded([&] {
    *out = nullptr;
    check(cudaMalloc(out, bytes), "allocating");
  });
}

lo_cuda_status lo_cuda_free(void* memory) {
  return guarded([&] { check(cudaFree(memory), "freeing"); });
}

lo_cuda_status lo_cuda_upload(void* device, const void* host, size_t bytes, void* stream) {
  return guarded([&] {
    lo::cuda::upload(device, host, bytes, static_cast<cudaStream_t>(stream));
    check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "copying to the device");
  });
}

lo_cuda_status lo_cuda_download(void* host, const void* device, size_t bytes, void* stream) {
  return guarded([&] { lo::cuda::download(host, device, bytes, static_cast<cudaStream_t>(stream)); });
}

lo_cuda_status lo_cuda_synchronize(void* stream) {
  return guarded([&] { check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "waiting for the device"); });
}

}  // extern "C"
