#include "session.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>

#include "../native/dispatch.h"
#include "../native/hierarchy.h"
#include "architecture.h"
#include "arguments.h"
#include "levels.h"
#include "step_request.h"

namespace lo {

namespace {

template <class T>
const Kernels<T>* kernelsFor(Napi::Env env);

template <>
const Kernels<float>* kernelsFor<float>(Napi::Env env) {
  const KernelChoice choice = chooseKernels(std::getenv("LEARNED_OPTIMIZER_ISA"));
  if (choice.kernels == nullptr) throw Napi::Error::New(env, "LEARNED_OPTIMIZER_ISA: " + choice.error);
  return choice.kernels;
}

template <>
const Kernels<double>* kernelsFor<double>(Napi::Env) {
  return referenceKernels();
}

// 32 or 16; undefined is 32. The reference keeps its state in double.
int readStateBits(Napi::Value value, const std::string& precision) {
  if (value.IsUndefined()) return 32;
  if (!value.IsNumber()) throwType(value.Env(), "stateBits", "32 or 16", describe(value));
  const double bits = value.As<Napi::Number>().DoubleValue();
  if (bits == 16 && precision == "float64") throwRange(value.Env(), "stateBits", "32 with precision 'float64'", "16");
  if (bits != 16 && bits != 32) throwRange(value.Env(), "stateBits", "32 or 16", describe(value));
  return static_cast<int>(bits);
}

Napi::Value makeReport(Napi::Env env, const AdvanceReport& report, const std::vector<std::size_t>& lost) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("gradientNorm", report.gradientNorm);
  out.Set("skipped", static_cast<double>(report.skipped));
  Napi::Array list = Napi::Array::New(env);
  for (std::size_t i = 0; i < lost.size(); ++i) {
    list.Set(static_cast<std::uint32_t>(i), static_cast<double>(lost[i]));
  }
  out.Set("lost", list);
  return out;
}

template <class T>
class SessionOf;

template <class T>
class PendingStepOf final : public PendingStep {
 public:
  PendingStepOf(SessionOf<T>& session, const StepRequest<T>& request, Napi::Env env);
  void execute() override;
  Napi::Value finish(Napi::Env env) override;

 private:
  SessionOf<T>& session_;
  std::vector<int> tensors_;
  AlignedBuffer<T> gradientCopy_;
  std::vector<const T*> gradients_;
  double multiplier_, weightDecay_, clipNorm_;
  std::uint64_t iteration_;
  Napi::ObjectReference parameterArrays_;
  AdvanceReport report_{};
};

template <class T>
class SessionOf final : public Session {
 public:
  SessionOf(const CellWeights& weights, LevelWeights levels, const Kernels<T>* kernels, unsigned threads,
            bool compactState)
      : hierarchy(weights, std::move(levels), kernels, threads, compactState), optimizer(hierarchy.parameters()) {}

  // Made by the JavaScript constructor: it throws a RangeError when memory runs out, where Node-API ends the process.
  static Napi::Value newArray(Napi::Env env, std::size_t length) {
    return requireConstructor(env, ArrayTraits<T>::name).New({Napi::Number::New(env, static_cast<double>(length))});
  }

  int requireHandle(Napi::Value value) const {
    const int handle = requireInteger(value, "tensor", 0, 2147483647.0);
    if (!optimizer.hasTensor(handle)) throwRange(value.Env(), "tensor", "the handle of a tensor", describe(value));
    return handle;
  }

  void requireRates(Napi::Env env, const ArrayView<T>& rates) const {
    const double max = optimizer.config().maxLogLearningRate;
    for (std::size_t i = 0; i < rates.length; ++i) {
      const double v = static_cast<double>(rates.data[i]);
      if (!(v >= kMinLogLearningRate && v <= max)) {
        throwRange(env, "logLearningRate[" + std::to_string(i) + "]",
                   "a number from " + numberText(kMinLogLearningRate) + " to " + numberText(max), numberText(v));
      }
    }
  }

  // The entries of an array of numbers within bounds.
  static const T* requireBounded(Napi::Value value, const std::string& argument, std::size_t length, double min,
                                 double max) {
    const ArrayView<T> view = requireTypedArray<T>(value, argument, length);
    for (std::size_t i = 0; i < length; ++i) {
      const double x = static_cast<double>(view.data[i]);
      if (x >= min && x <= max) continue;
      throwRange(value.Env(), argument + "[" + std::to_string(i) + "]",
                 "a number from " + numberText(min) + " to " + numberText(max), numberText(x));
    }
    return view.data;
  }

  int addTensor(Napi::Value lengthValue, Napi::Value rate) override {
    const Napi::Env env = lengthValue.Env();
    // 2^40 coordinates are more than any address space holds state for; beyond that the sizes could overflow.
    if (!lengthValue.IsNumber()) throwType(env, "length", "a number", describe(lengthValue));
    const double length = requireNumber(lengthValue, "length", 1, 1099511627776.0);
    if (length != std::floor(length)) throwRange(env, "length", "an integer", describe(lengthValue));
    const std::size_t n = static_cast<std::size_t>(length);
    if (rate.IsNumber()) {
      const double v = requireNumber(rate, "logLearningRate", kMinLogLearningRate, optimizer.config().maxLogLearningRate);
      return hierarchy.addTensor(n, static_cast<T>(v));
    }
    const ArrayView<T> rates = requireTypedArray<T>(rate, "logLearningRate", n);
    requireRates(env, rates);
    return hierarchy.addTensor(n, static_cast<const T*>(rates.data));
  }

  void removeTensor(Napi::Value handle) override { hierarchy.removeTensor(requireHandle(handle)); }
  void resetPosition(Napi::Value handle) override { optimizer.resetPosition(requireHandle(handle)); }

  Napi::Value step(Napi::Value value) override {
    request_.read(value, optimizer);
    const AdvanceReport report = hierarchy.advance(request_.tensors.data(), request_.tensors.size(),
                                                   request_.gradients.data(), request_.clipNorm, request_.iteration);
    optimizer.apply(request_.parameters.data(), request_.multiplier, request_.weightDecay);
    return makeReport(value.Env(), report, {});
  }

  std::unique_ptr<PendingStep> begin(Napi::Value value) override {
    request_.read(value, optimizer);
    return std::make_unique<PendingStepOf<T>>(*this, request_, value.Env());
  }

  Napi::Value exportTensor(Napi::Env env, Napi::Value handleValue) override {
    const int handle = requireHandle(handleValue);
    const std::size_t n = optimizer.lengthOf(handle);
    const std::size_t H = static_cast<std::size_t>(optimizer.config().hidden);
    const std::size_t S = static_cast<std::size_t>(optimizer.config().timescales);
    const std::size_t levelHidden = static_cast<std::size_t>(hierarchy.levels().tensorHidden());
    Napi::Object out = Napi::Object::New(env);
    const struct {
      const char* key;
      std::size_t length;
      T* TensorStateView<T>::*target;
    } arrays[] = {
        {"hidden", n * H, &TensorStateView<T>::hidden},
        {"momentum", n * S, &TensorStateView<T>::momentum},
        {"scale", n * S, &TensorStateView<T>::scale},
        {"logLearningRate", n, &TensorStateView<T>::logRate},
        {"position", n, &TensorStateView<T>::position},
    };
    const std::size_t count = optimizer.hasPosition(handle) ? std::size(arrays) : std::size(arrays) - 1;
    Napi::Value values[std::size(arrays)];
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = newArray(env, arrays[i].length);
      out.DefineProperty(Napi::PropertyDescriptor::Value(arrays[i].key, values[i], napi_default_jsproperty));
    }
    const Napi::Value tensorHidden = newArray(env, levelHidden);
    out.DefineProperty(Napi::PropertyDescriptor::Value("tensorHidden", tensorHidden, napi_default_jsproperty));
    // No JavaScript runs from here on.
    TensorStateView<T> view{};
    for (std::size_t i = 0; i < count; ++i) {
      view.*arrays[i].target = requireTypedArray<T>(values[i], arrays[i].key, arrays[i].length).data;
    }
    const ArrayView<T> level = requireTypedArray<T>(tensorHidden, "tensorHidden", levelHidden);
    optimizer.exportTensor(handle, view);
    std::copy_n(hierarchy.levels().tensorState(handle), levelHidden, level.data);
    return out;
  }

  Napi::Value position(Napi::Env env, Napi::Value handleValue) override {
    const int handle = requireHandle(handleValue);
    const T* position = optimizer.position(handle);
    if (position == nullptr) return env.Undefined();
    const std::size_t n = optimizer.lengthOf(handle);
    const Napi::Value out = newArray(env, n);
    std::copy_n(position, n, requireTypedArray<T>(out, "position", n).data);
    return out;
  }

  void importTensor(Napi::Value handleValue, Napi::Value stateValue) override {
    const Napi::Env env = handleValue.Env();
    const int handle = requireHandle(handleValue);
    const Napi::Object state = requireObject(stateValue, "state");
    const std::size_t n = optimizer.lengthOf(handle);
    const std::size_t H = static_cast<std::size_t>(optimizer.config().hidden);
    const std::size_t S = static_cast<std::size_t>(optimizer.config().timescales);
    const Napi::Value hidden = state.Get("hidden"), momentum = state.Get("momentum"), scale = state.Get("scale");
    const Napi::Value rate = state.Get("logLearningRate"), position = state.Get("position");
    const Napi::Value tensorHidden = state.Get("tensorHidden");
    const auto checked = [&](Napi::Value v, const char* key, std::size_t length, double min, double max) {
      return requireBounded(v, std::string("state.") + key, length, min, max);
    };
    const bool hasPosition = !position.IsUndefined() && !position.IsNull();
    if (hasPosition && !optimizer.config().attention()) {
      throwType(env, "state.position", "undefined, since this architecture has no attention", describe(position));
    }
    TensorStateView<const T> view{};
    view.hidden = checked(hidden, "hidden", n * H, -1e6, 1e6);
    view.momentum = checked(momentum, "momentum", n * S, -1.001 * kMaxGradient, 1.001 * kMaxGradient);
    view.scale = checked(scale, "scale", n * S, 0, 1.01 * kMaxGradient * kMaxGradient);
    view.logRate = checked(rate, "logLearningRate", n, kMinLogLearningRate, optimizer.config().maxLogLearningRate);
    constexpr double largest = std::numeric_limits<T>::max();
    if (hasPosition) view.position = checked(position, "position", n, -largest, largest);
    const std::size_t levelHidden = static_cast<std::size_t>(hierarchy.levels().tensorHidden());
    const T* const level = checked(tensorHidden, "tensorHidden", levelHidden, -1e6, 1e6);
    optimizer.importTensor(handle, view);
    std::copy_n(level, levelHidden, hierarchy.levels().tensorState(handle));
  }

  Napi::Value globalHidden(Napi::Env env) override {
    const std::size_t n = static_cast<std::size_t>(hierarchy.levels().globalHidden());
    const Napi::Value out = newArray(env, n);
    std::copy_n(hierarchy.levels().globalState(), n, requireTypedArray<T>(out, "globalHidden", n).data);
    return out;
  }

  void setGlobalHidden(Napi::Value value) override {
    const std::size_t n = static_cast<std::size_t>(hierarchy.levels().globalHidden());
    std::copy_n(requireBounded(value, "globalHidden", n, -1e6, 1e6), n, hierarchy.levels().globalState());
  }

  std::size_t bytes() const override { return hierarchy.bytes(); }

  Hierarchy<T> hierarchy;
  Optimizer<T>& optimizer;

 private:
  StepRequest<T> request_;
};

template <class T>
PendingStepOf<T>::PendingStepOf(SessionOf<T>& session, const StepRequest<T>& request, Napi::Env env)
    : session_(session),
      tensors_(request.tensors),
      multiplier_(request.multiplier),
      weightDecay_(request.weightDecay),
      clipNorm_(request.clipNorm),
      iteration_(request.iteration) {
  const std::size_t count = tensors_.size();
  std::size_t total = 0;
  for (int handle : tensors_) total += session.optimizer.lengthOf(handle);
  gradientCopy_ = AlignedBuffer<T>(total);
  T* target = gradientCopy_.data();
  for (std::size_t t = 0; t < count; ++t) {
    const std::size_t length = session.optimizer.lengthOf(tensors_[t]);
    std::memcpy(target, request.gradients[t], length * sizeof(T));
    gradients_.push_back(target);
    target += length;
  }
  // A list of our own: the caller may change the one it gave.
  Napi::Array arrays = Napi::Array::New(env, count);
  for (std::size_t t = 0; t < count; ++t) arrays.Set(static_cast<std::uint32_t>(t), request.parameterValues[t]);
  parameterArrays_ = Napi::Persistent(arrays.As<Napi::Object>());
}

template <class T>
void PendingStepOf<T>::execute() {
  report_ = session_.hierarchy.advance(tensors_.data(), tensors_.size(), gradients_.data(), clipNorm_,
                                       iteration_);
}

template <class T>
Napi::Value PendingStepOf<T>::finish(Napi::Env env) {
  const Napi::Object arrays = parameterArrays_.Value();
  std::vector<T*> parameters;
  std::vector<std::size_t> lost;
  for (std::size_t t = 0; t < tensors_.size(); ++t) {
    napi_typedarray_type type;
    std::size_t length = 0;
    void* data = nullptr;
    const Napi::Value value = arrays.Get(static_cast<std::uint32_t>(t));
    const bool usable = napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) == napi_ok &&
                        type == ArrayTraits<T>::type && length == session_.optimizer.lengthOf(tensors_[t]) && data != nullptr;
    parameters.push_back(usable ? static_cast<T*>(data) : nullptr);
    if (!usable) lost.push_back(t);
  }
  session_.optimizer.apply(parameters.data(), multiplier_, weightDecay_);
  return makeReport(env, report_, lost);
}

}  // namespace

std::shared_ptr<Session> createSession(Napi::Value value) {
  const Napi::Env env = value.Env();
  const Napi::Object options = requireObject(value, "options");
  const Config config = readArchitecture(options.Get("architecture"), "architecture");
  const std::string precision = requireString(options.Get("precision"), "precision");
  const unsigned threads = static_cast<unsigned>(requireInteger(options.Get("threads"), "threads", 0, 256));
  const CellWeights weights = readCellWeights(options.Get("weights"), "weights", config);
  const LevelSizes sizes = readLevelSizes(options.Get("architecture"), "architecture");
  LevelWeights levels = readLevelWeights(options.Get("levels"), "levels", sizes, config);
  const bool compact = readStateBits(options.Get("stateBits"), precision) == 16;
  if (precision == "float32") {
    return std::make_shared<SessionOf<float>>(weights, std::move(levels), kernelsFor<float>(env), threads, compact);
  }
  if (precision == "float64") {
    return std::make_shared<SessionOf<double>>(weights, std::move(levels), kernelsFor<double>(env), threads, false);
  }
  throwRange(env, "precision", "'float32' or 'float64'", "'" + precision + "'");
}

}  // namespace lo
