// One native optimizer behind the boundary: checks requests, runs steps. Knows JavaScript values, but keeps none.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "../native/optimizer.h"

namespace lo {

// A step whose state has advanced off the event loop and whose parameters are still to be written.
class PendingStep {
 public:
  virtual ~PendingStep() = default;
  // Advances the state; runs on a thread pool thread and touches no JavaScript memory.
  virtual void execute() = 0;
  // Writes parameters and results; returns the report. Runs on the event loop.
  virtual Napi::Value finish(Napi::Env env) = 0;
};

class Session {
 public:
  virtual ~Session() = default;
  virtual int addTensor(Napi::Value length, Napi::Value logLearningRate) = 0;
  virtual void removeTensor(Napi::Value handle) = 0;
  virtual Napi::Value step(Napi::Value request) = 0;
  virtual std::unique_ptr<PendingStep> begin(Napi::Value request) = 0;
  virtual Napi::Value exportTensor(Napi::Env env, Napi::Value handle) = 0;
  virtual Napi::Value position(Napi::Env env, Napi::Value handle) = 0;
  virtual void importTensor(Napi::Value handle, Napi::Value state) = 0;
  virtual void resetPosition(Napi::Value handle) = 0;
  virtual Napi::Value globalHidden(Napi::Env env) = 0;
  virtual void setGlobalHidden(Napi::Value values) = 0;
  virtual std::size_t bytes() const = 0;
  // With tensors in device memory; both throw where the optimizer runs on the CPU.
  virtual Napi::Value stepOnDevice(Napi::Value request);
  virtual Napi::Value lastReport(Napi::Env env);
};

// A NativeStepReport (types.ts).
Napi::Value makeReport(Napi::Env env, double gradientNorm, std::uint64_t skipped, const std::vector<std::size_t>& lost);

// `options` is a NativeOptimizerOptions (types.ts). Throws on bad options.
std::shared_ptr<Session> createSession(Napi::Value options);

}  // namespace lo
