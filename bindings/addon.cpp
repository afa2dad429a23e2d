// Entry point of the addon: the class NativeOptimizer and what the build and the machine offer.
#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "../native/dispatch.h"
#include "../native/thread_pool.h"
#include "borrowed_gradients.h"
#include "cuda_calls.h"
#include "lane_objectives.h"
#include "native_lanes.h"
#include "native_optimizer.h"

#ifndef LO_VERSION
#error "LO_VERSION must be defined by the build: the version of package.json as a string"
#endif

namespace lo {
namespace {

Napi::Value info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const KernelChoice choice = chooseKernels(std::getenv("LEARNED_OPTIMIZER_ISA"));
  if (choice.kernels == nullptr) throw Napi::Error::New(env, "LEARNED_OPTIMIZER_ISA: " + choice.error);
  Napi::Object out = Napi::Object::New(env);
  out.Set("version", LO_VERSION);
  out.Set("isa", choice.kernels->isa);
  Napi::Array available = Napi::Array::New(env);
  std::uint32_t i = 0;
  for (const Kernels<float>* k : availableKernels()) available.Set(i++, k->isa);
  out.Set("isaAvailable", available);
  out.Set("threads", static_cast<double>(ThreadPool::usableThreads()));
  out.Set("build", compilerName());
  return out;
}

// Bytes from the last 64-byte boundary to the first element of a typed array.
Napi::Value misalignment(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  if (!call[0].IsTypedArray()) throw Napi::TypeError::New(env, "array: expected a typed array");
  napi_typedarray_type type;
  std::size_t length = 0;
  std::size_t offset = 0;
  void* data = nullptr;
  napi_value buffer;
  if (napi_get_typedarray_info(env, call[0], &type, &length, &data, &buffer, &offset) != napi_ok) {
    throw Napi::Error::New(env, "array: its memory could not be looked at");
  }
  return Napi::Number::New(env, static_cast<double>(reinterpret_cast<std::uintptr_t>(data) % 64));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("version", LO_VERSION);
  exports.Set("info", Napi::Function::New<info>(env, "info"));
  exports.Set("misalignment", Napi::Function::New<misalignment>(env, "misalignment"));
  defineBorrowing(env, exports);
  defineCudaCalls(env, exports);
  exports.Set("laneResiduals", Napi::Function::New<laneResiduals>(env, "laneResiduals"));
  exports.Set("laneRegression", Napi::Function::New<laneRegression>(env, "laneRegression"));
  exports.Set("NativeLanes", defineNativeLanes(env));
  exports.Set("NativeOptimizer", NativeOptimizer::define(env));
  return exports;
}

}  // namespace
}  // namespace lo

static Napi::Object initAddon(Napi::Env env, Napi::Object exports) { return lo::init(env, exports); }

NODE_API_MODULE(learned_optimizer, initAddon)
