// What calls about lanes (native_lanes.cpp, lane_objectives.cpp) have in common.
#pragma once

#include <napi.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "../native/dispatch.h"
#include "../native/thread_pool.h"
#include "arguments.h"

namespace lo {

// The kernels in use: by instruction set in single precision, the reference in double.
template <class T>
const Kernels<T>* kernelsOf(Napi::Env env);
template <>
inline const Kernels<float>* kernelsOf<float>(Napi::Env env) {
  const char* forced = std::getenv("LEARNED_OPTIMIZER_ISA");
  const KernelChoice choice = chooseKernels(forced);
  if (choice.kernels == nullptr) throw Napi::Error::New(env, "LEARNED_OPTIMIZER_ISA: " + choice.error);
  return choice.kernels;
}
template <>
inline const Kernels<double>* kernelsOf<double>(Napi::Env) {
  return referenceKernels();
}

// Memory that a call reads or writes.
struct Region {
  const char* name;
  const void* data;
  std::size_t bytes;
};
template <class T>
Region regionOf(const char* name, const ArrayView<T>& view) {
  return {name, view.data, view.length * sizeof(T)};
}

// What is written to shares no memory with anything else of the call.
inline void refuseOverlap(Napi::Env env, const Region& written, const std::vector<Region>& others) {
  const auto begin = reinterpret_cast<std::uintptr_t>(written.data), end = begin + written.bytes;
  for (const Region& other : others) {
    const auto from = reinterpret_cast<std::uintptr_t>(other.data), to = from + other.bytes;
    if (begin < to && from < end) {
      throwRange(env, std::string("request.") + written.name, "memory of its own",
                 std::string("memory shared with request.") + other.name);
    }
  }
}

// One task per block, on at most `threads` threads.
template <class Task>
void runBlocks(ThreadPool& pool, unsigned threads, std::vector<Task>& tasks, void (*kernel)(const Task&)) {
  struct Context {
    std::vector<Task>* tasks;
    void (*kernel)(const Task&);
  } context{&tasks, kernel};
  pool.run(
      tasks.size(), threads,
      [](void* c, std::size_t i) {
        const auto* context = static_cast<Context*>(c);
        context->kernel((*context->tasks)[i]);
      },
      &context);
}

}  // namespace lo
