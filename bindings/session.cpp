#include "session.h"

#include <algorithm>
#include <cstring>

#include "../native/dispatch.h"
#include "../native/hierarchy.h"
#include "architecture.h"
#include "arguments.h"
#include "cuda_session.h"
#include "levels.h"
#include "step_request.h"
#include "tensor_state.h"

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

  int requireHandle(Napi::Value value) const {
    const int handle = requireInteger(value, "tensor", 0, 2147483647.0);
    if (!optimizer.hasTensor(handle)) throwRange(value.Env(), "tensor", "the handle of a tensor", describe(value));
    return handle;
  }

  StateSizes sizesOf(int handle) {
    const Config& config = optimizer.config();
    return {optimizer.lengthOf(handle), static_cast<std::size_t>(config.hidden), static_cast<std::size_t>(config.timescales),
            static_cast<std::size_t>(hierarchy.levels().tensorHidden())};
  }

  int addTensor(Napi::Value length, Napi::Value rate) override {
    const std::size_t n = requireLength(length);
    const double max = optimizer.config().maxLogLearningRate;
    if (rate.IsNumber()) {
      return hierarchy.addTensor(n, static_cast<T>(requireNumber(rate, "logLearningRate", kMinLogLearningRate, max)));
    }
    return hierarchy.addTensor(n, requireRates<T>(rate, n, max));
  }

  void removeTensor(Napi::Value handle) override { hierarchy.removeTensor(requireHandle(handle)); }
  void resetPosition(Napi::Value handle) override { optimizer.resetPosition(requireHandle(handle)); }

  Napi::Value step(Napi::Value value) override {
    request_.read(value, optimizer);
    const AdvanceReport report = hierarchy.advance(request_.tensors.data(), request_.tensors.size(),
                                                   request_.gradients.data(), request_.clipNorm, request_.iteration);
    optimizer.apply(request_.parameters.data(), request_.multiplier, request_.weightDecay);
    return makeReport(value.Env(), report.gradientNorm, report.skipped, {});
  }

  std::unique_ptr<PendingStep> begin(Napi::Value value) override {
    request_.read(value, optimizer);
    return std::make_unique<PendingStepOf<T>>(*this, request_, value.Env());
  }

  Napi::Value exportTensor(Napi::Env env, Napi::Value handleValue) override {
    const int handle = requireHandle(handleValue);
    const StateSizes sizes = sizesOf(handle);
    const StateArrays<T> out = makeStateArrays<T>(env, sizes, optimizer.hasPosition(handle));
    optimizer.exportTensor(handle, out.view);
    std::copy_n(hierarchy.levels().tensorState(handle), sizes.level, out.level);
    return out.object;
  }

  Napi::Value position(Napi::Env env, Napi::Value handleValue) override {
    const int handle = requireHandle(handleValue);
    const T* position = optimizer.position(handle);
    if (position == nullptr) return env.Undefined();
    const std::size_t n = optimizer.lengthOf(handle);
    const Napi::Value out = newArray<T>(env, n);
    std::copy_n(position, n, requireTypedArray<T>(out, "position", n).data);
    return out;
  }

  void importTensor(Napi::Value handleValue, Napi::Value stateValue) override {
    const int handle = requireHandle(handleValue);
    const StateSizes sizes = sizesOf(handle);
    const StateInput<T> in = readState<T>(stateValue, sizes, optimizer.config());
    optimizer.importTensor(handle, in.view);
    std::copy_n(in.level, sizes.level, hierarchy.levels().tensorState(handle));
  }

  Napi::Value globalHidden(Napi::Env env) override {
    const std::size_t n = static_cast<std::size_t>(hierarchy.levels().globalHidden());
    const Napi::Value out = newArray<T>(env, n);
    std::copy_n(hierarchy.levels().globalState(), n, requireTypedArray<T>(out, "globalHidden", n).data);
    return out;
  }

  void setGlobalHidden(Napi::Value value) override {
    const std::size_t n = static_cast<std::size_t>(hierarchy.levels().globalHidden());
    std::copy_n(requireLevelState<T>(value, "globalHidden", n), n, hierarchy.levels().globalState());
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
  return makeReport(env, report_.gradientNorm, report_.skipped, lost);
}

}  // namespace

Napi::Value makeReport(Napi::Env env, double gradientNorm, std::uint64_t skipped, const std::vector<std::size_t>& lost) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("gradientNorm", gradientNorm);
  out.Set("skipped", static_cast<double>(skipped));
  Napi::Array list = Napi::Array::New(env);
  for (std::size_t i = 0; i < lost.size(); ++i) {
    list.Set(static_cast<std::uint32_t>(i), static_cast<double>(lost[i]));
  }
  out.Set("lost", list);
  return out;
}

Napi::Value Session::stepOnDevice(Napi::Value request) {
  throw Napi::Error::New(request.Env(), "stepOnDevice: this optimizer runs on the CPU");
}

Napi::Value Session::lastReport(Napi::Env env) {
  throw Napi::Error::New(env, "lastReport: this optimizer runs on the CPU, and its steps return their reports");
}

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
  const Napi::Value cuda = options.Get("cuda");
  if (!cuda.IsUndefined()) {
    if (precision != "float32") throwRange(env, "precision", "'float32' with cuda", "'" + precision + "'");
    return createCudaSession(cuda, weights, levels, compact ? 16 : 32);
  }
  if (precision == "float32") {
    return std::make_shared<SessionOf<float>>(weights, std::move(levels), kernelsFor<float>(env), threads, compact);
  }
  if (precision == "float64") {
    return std::make_shared<SessionOf<double>>(weights, std::move(levels), kernelsFor<double>(env), threads, false);
  }
  throwRange(env, "precision", "'float32' or 'float64'", "'" + precision + "'");
}

}  // namespace lo
