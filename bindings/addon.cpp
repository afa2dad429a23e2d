// Entry point of the addon: the class NativeOptimizer and what the build and the machine offer.
#include <napi.h>

#include <cstdlib>

#include "../native/dispatch.h"
#include "../native/thread_pool.h"
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
  Napi::Object cuda = Napi::Object::New(env);
  cuda.Set("available", false);
  cuda.Set("reason", "this build has no CUDA library");
  out.Set("cuda", cuda);
  out.Set("build", compilerName());
  return out;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("version", LO_VERSION);
  exports.Set("info", Napi::Function::New<info>(env, "info"));
  exports.Set("NativeOptimizer", NativeOptimizer::define(env));
  return exports;
}

}  // namespace
}  // namespace lo

static Napi::Object initAddon(Napi::Env env, Napi::Object exports) { return lo::init(env, exports); }

NODE_API_MODULE(learned_optimizer, initAddon)
