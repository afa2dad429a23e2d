#include "native_optimizer.h"

#include <new>

#include "cuda_errors.h"

namespace lo {

namespace {

// Runs the first half of a step on a libuv thread. Holds the session itself, so that the work can end in peace when the
// environment (a worker that is being terminated, say) is going away.
class StepWorker final : public Napi::AsyncWorker {
 public:
  StepWorker(Napi::Env env, NativeOptimizer* owner, std::shared_ptr<Session> session, std::unique_ptr<PendingStep> step)
      : Napi::AsyncWorker(env, "learned-optimizer:step"),
        deferred_(Napi::Promise::Deferred::New(env)),
        owner_(owner),
        ownerReference_(Napi::Persistent(owner->Value())),
        session_(std::move(session)),
        step_(std::move(step)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    try {
      step_->execute();
    } catch (const std::bad_alloc&) {
      SetError("stepAsync: out of memory");
    }
  }

  void OnOK() override {
    owner_->setBusy(false);
    try {
      deferred_.Resolve(step_->finish(Env()));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    } catch (const CudaFailure& failure) {
      deferred_.Reject(cudaError(Env(), failure).Value());
    }
  }

  void OnError(const Napi::Error& error) override {
    owner_->setBusy(false);
    deferred_.Reject(error.Value());
  }

 private:
  Napi::Promise::Deferred deferred_;
  NativeOptimizer* owner_;
  Napi::ObjectReference ownerReference_;
  std::shared_ptr<Session> session_;
  std::unique_ptr<PendingStep> step_;
};

}  // namespace

Napi::Function NativeOptimizer::define(Napi::Env env) {
  return DefineClass(env, "NativeOptimizer",
                     {
                         InstanceMethod<&NativeOptimizer::addTensor>("addTensor"),
                         InstanceMethod<&NativeOptimizer::removeTensor>("removeTensor"),
                         InstanceMethod<&NativeOptimizer::step>("step"),
                         InstanceMethod<&NativeOptimizer::stepAsync>("stepAsync"),
                         InstanceMethod<&NativeOptimizer::stepOnDevice>("stepOnDevice"),
                         InstanceMethod<&NativeOptimizer::lastReport>("lastReport"),
                         InstanceMethod<&NativeOptimizer::exportTensor>("exportTensor"),
                         InstanceMethod<&NativeOptimizer::position>("position"),
                         InstanceMethod<&NativeOptimizer::importTensor>("importTensor"),
                         InstanceMethod<&NativeOptimizer::resetPosition>("resetPosition"),
                         InstanceMethod<&NativeOptimizer::globalHidden>("globalHidden"),
                         InstanceMethod<&NativeOptimizer::setGlobalHidden>("setGlobalHidden"),
                         InstanceMethod<&NativeOptimizer::dispose>("dispose"),
                         InstanceAccessor<&NativeOptimizer::bytes>("bytes"),
                     });
}

NativeOptimizer::NativeOptimizer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeOptimizer>(info) {
  try {
    session_ = createSession(info[0]);
  } catch (const std::bad_alloc&) {
    throw Napi::RangeError::New(info.Env(), "out of memory for a native optimizer");
  } catch (const CudaFailure& failure) {
    throw cudaError(info.Env(), failure);
  }
}

void NativeOptimizer::Finalize(Napi::BasicEnv env) {
  session_.reset();
  accountMemory(env);
}

void NativeOptimizer::accountMemory(Napi::BasicEnv env) {
  const std::int64_t now = session_ ? static_cast<std::int64_t>(session_->bytes()) : 0;
  if (now != accounted_) Napi::MemoryManagement::AdjustExternalMemory(env, now - accounted_);
  accounted_ = now;
}

Session& NativeOptimizer::usable(Napi::Env env) {
  if (!session_) throw Napi::Error::New(env, "the optimizer was disposed; create a new one");
  if (busy_) {
    throw Napi::Error::New(env, "a step of this optimizer is in progress; await the promise of stepAsync first");
  }
  return *session_;
}

template <class F>
Napi::Value NativeOptimizer::guarded(const Napi::CallbackInfo& info, F&& body) {
  Session& session = usable(info.Env());
  try {
    // Reading the arguments may run accessors of the caller's objects; none may start or dispose anything meanwhile.
    busy_ = true;
    const Napi::Value result = body(session);
    busy_ = false;
    accountMemory(info.Env());
    return result;
  } catch (const std::bad_alloc&) {
    busy_ = false;
    throw Napi::RangeError::New(info.Env(),
                                "out of memory: the optimizer needs 36 to 90 bytes of state per parameter");
  } catch (const CudaFailure& failure) {
    busy_ = false;
    throw cudaError(info.Env(), failure);
  } catch (...) {
    busy_ = false;
    throw;
  }
}

Napi::Value NativeOptimizer::addTensor(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) -> Napi::Value {
    return Napi::Number::New(info.Env(), s.addTensor(info[0], info[1]));
  });
}

Napi::Value NativeOptimizer::removeTensor(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) {
    s.removeTensor(info[0]);
    return info.Env().Undefined();
  });
}

Napi::Value NativeOptimizer::step(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) { return s.step(info[0]); });
}

Napi::Value NativeOptimizer::stepOnDevice(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) { return s.stepOnDevice(info[0]); });
}

Napi::Value NativeOptimizer::lastReport(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) { return s.lastReport(info.Env()); });
}

Napi::Value NativeOptimizer::stepAsync(const Napi::CallbackInfo& info) {
  std::unique_ptr<PendingStep> step;
  guarded(info, [&](Session& s) {
    step = s.begin(info[0]);
    return info.Env().Undefined();
  });
  auto* worker = new StepWorker(info.Env(), this, session_, std::move(step));
  const Napi::Promise promise = worker->promise();
  busy_ = true;
  worker->Queue();
  return promise;
}

Napi::Value NativeOptimizer::position(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) { return s.position(info.Env(), info[0]); });
}

Napi::Value NativeOptimizer::exportTensor(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) { return s.exportTensor(info.Env(), info[0]); });
}

Napi::Value NativeOptimizer::importTensor(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) {
    s.importTensor(info[0], info[1]);
    return info.Env().Undefined();
  });
}

Napi::Value NativeOptimizer::resetPosition(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) {
    s.resetPosition(info[0]);
    return info.Env().Undefined();
  });
}

Napi::Value NativeOptimizer::globalHidden(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) { return s.globalHidden(info.Env()); });
}

Napi::Value NativeOptimizer::setGlobalHidden(const Napi::CallbackInfo& info) {
  return guarded(info, [&](Session& s) {
    s.setGlobalHidden(info[0]);
    return info.Env().Undefined();
  });
}

Napi::Value NativeOptimizer::dispose(const Napi::CallbackInfo& info) {
  if (!session_) return info.Env().Undefined();
  usable(info.Env());
  session_.reset();
  accountMemory(info.Env());
  return info.Env().Undefined();
}

Napi::Value NativeOptimizer::bytes(const Napi::CallbackInfo& info) {
  // While another thread advances the state its buffers must not be looked at: the last known number stands.
  if (busy_) return Napi::Number::New(info.Env(), static_cast<double>(accounted_));
  return Napi::Number::New(info.Env(), session_ ? static_cast<double>(session_->bytes()) : 0.0);
}

}  // namespace lo
