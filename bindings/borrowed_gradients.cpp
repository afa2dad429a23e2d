#include "borrowed_gradients.h"

#include <cmath>
#include <cstdint>

#include "borrowed_tensors.h"

namespace lo {

namespace {

BorrowedTensors& tensorsOf(Napi::Env env) {
  auto* tensors = env.GetInstanceData<BorrowedTensors>();
  if (tensors == nullptr) {
    tensors = new BorrowedTensors;
    env.SetInstanceData(tensors);
  }
  return *tensors;
}

Napi::Value borrowing(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const BorrowOp& op = borrowOp();
  if (op.name.empty()) throw Napi::Error::New(env, op.problem);
  Napi::Object out = Napi::Object::New(env);
  out.Set("op", op.name);
  out.Set("owner", static_cast<double>(tensorsOf(env).owner()));
  out.Set("version", op.version);
  return out;
}

Napi::Value beginBorrowing(const Napi::CallbackInfo& call) {
  if (borrowOp().name.empty()) throw Napi::Error::New(call.Env(), borrowOp().problem);
  tensorsOf(call.Env()).begin();
  return call.Env().Undefined();
}

Napi::Value borrowedCount(const Napi::CallbackInfo& call) {
  return Napi::Number::New(call.Env(), static_cast<double>(tensorsOf(call.Env()).count()));
}

Napi::Value endBorrowing(const Napi::CallbackInfo& call) {
  tensorsOf(call.Env()).end();
  return call.Env().Undefined();
}

}  // namespace

void defineBorrowing(Napi::Env env, Napi::Object exports) {
  exports.Set("borrowing", Napi::Function::New<borrowing>(env, "borrowing"));
  exports.Set("beginBorrowing", Napi::Function::New<beginBorrowing>(env, "beginBorrowing"));
  exports.Set("borrowedCount", Napi::Function::New<borrowedCount>(env, "borrowedCount"));
  exports.Set("endBorrowing", Napi::Function::New<endBorrowing>(env, "endBorrowing"));
}

template <>
const float* borrowedGradient<float>(Napi::Env env, napi_value value, std::size_t length) {
  double index = 0;
  if (napi_get_value_double(env, value, &index) != napi_ok) return nullptr;
  if (!(index >= 0 && index < 9e15) || index != std::floor(index)) return nullptr;
  return tensorsOf(env).data(static_cast<std::size_t>(index), length);
}

template <>
const double* borrowedGradient<double>(Napi::Env, napi_value, std::size_t) {
  return nullptr;
}

}  // namespace lo
