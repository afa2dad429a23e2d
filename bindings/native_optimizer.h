// The JavaScript class NativeOptimizer (types.ts): life cycle, one step at a time, memory accounting.
#pragma once

#include <napi.h>

#include <memory>

#include "session.h"

namespace lo {

class NativeOptimizer final : public Napi::ObjectWrap<NativeOptimizer> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit NativeOptimizer(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

  // For the asynchronous step only.
  void setBusy(bool busy) { busy_ = busy; }

 private:
  Napi::Value addTensor(const Napi::CallbackInfo& info);
  Napi::Value removeTensor(const Napi::CallbackInfo& info);
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value stepAsync(const Napi::CallbackInfo& info);
  Napi::Value stepOnDevice(const Napi::CallbackInfo& info);
  Napi::Value lastReport(const Napi::CallbackInfo& info);
  Napi::Value exportTensor(const Napi::CallbackInfo& info);
  Napi::Value position(const Napi::CallbackInfo& info);
  Napi::Value importTensor(const Napi::CallbackInfo& info);
  Napi::Value resetPosition(const Napi::CallbackInfo& info);
  Napi::Value globalHidden(const Napi::CallbackInfo& info);
  Napi::Value setGlobalHidden(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);

  // The session, or an error when there is none any more or a step is in progress.
  Session& usable(Napi::Env env);
  template <class F>
  Napi::Value guarded(const Napi::CallbackInfo& info, F&& body);
  void accountMemory(Napi::BasicEnv env);

  std::shared_ptr<Session> session_;
  bool busy_ = false;
  std::int64_t accounted_ = 0;
};

}  // namespace lo
