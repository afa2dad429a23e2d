#include "cuda_session.h"

#include <cmath>
#include <cstring>
#include <optional>

#include "../native/cuda/weights_view.h"
#include "arguments.h"
#include "cuda_arguments.h"
#include "cuda_library.h"
#include "step_request.h"
#include "tensor_state.h"

namespace lo {

namespace {

class CudaSession final : public Session {
 public:
  CudaSession(const CudaLibrary& library, int device, const CellWeights& cell, const LevelWeights& levels, int stateBits)
      : library_(library), config_(cell.config), tensorHidden_(levels.tensor.hidden), globalHidden_(levels.global.hidden) {
    const lo_cuda_architecture architecture = architectureOf(cell, levels, stateBits);
    const lo_cuda_weights weights = weightsOf(cell, levels);
    check(library_.create(&architecture, &weights, device, &optimizer_));
  }
  ~CudaSession() override { library_.destroy(optimizer_); }

  bool hasTensor(int handle) const {
    return handle >= 0 && static_cast<std::size_t>(handle) < lengths_.size() && lengths_[static_cast<std::size_t>(handle)] != 0;
  }
  std::size_t lengthOf(int handle) const { return lengths_[static_cast<std::size_t>(handle)]; }

  int addTensor(Napi::Value length, Napi::Value rate) override {
    const std::size_t n = requireLength(length);
    const double max = config_.maxLogLearningRate;
    const bool one = rate.IsNumber();
    const float same = one ? static_cast<float>(requireNumber(rate, "logLearningRate", kMinLogLearningRate, max)) : 0.0f;
    const float* const own = one ? nullptr : requireRates<float>(rate, n, max);
    lengths_.reserve(lengths_.size() + 1);
    int handle = -1;
    check(library_.add_tensor(optimizer_, n, own, same, &handle));
    // The library counts its handles up.
    lengths_.resize(static_cast<std::size_t>(handle) + 1);
    lengths_.back() = n;
    return handle;
  }

  void removeTensor(Napi::Value value) override {
    const int handle = requireHandle(value);
    check(library_.remove_tensor(optimizer_, handle));
    lengths_[static_cast<std::size_t>(handle)] = 0;
  }

  void resetPosition(Napi::Value value) override { check(library_.reset_position(optimizer_, requireHandle(value))); }

  Napi::Value step(Napi::Value value) override {
    request_.read(value, *this);
    const lo_cuda_step_report report = stepHost(request_.tensors, request_.gradients, request_.parameters, request_);
    return makeReport(value.Env(), report.gradient_norm, report.skipped, {});
  }

  std::unique_ptr<PendingStep> begin(Napi::Value value) override;

  Napi::Value stepOnDevice(Napi::Value value) override {
    const Napi::Env env = value.Env();
    const Napi::Object request = requireObject(value, "request");
    request_.readTensors(request, *this);
    request_.readNumbers(request);
    const Napi::Value parameterValues = request.Get("parameters"), gradientValues = request.Get("gradients");
    void* const stream = requireStream(request.Get("stream"), "stream");
    const std::size_t count = request_.tensors.size();
    const std::uint64_t* const parameters = requireTypedArray<std::uint64_t>(parameterValues, "parameters", count).data;
    const std::uint64_t* const gradients = requireTypedArray<std::uint64_t>(gradientValues, "gradients", count).data;
    request_.parameters.clear();
    request_.gradients.clear();
    request_.parameterRanges.clear();
    for (std::size_t t = 0; t < count; ++t) {
      request_.parameters.push_back(requireFloats(env, parameters[t], "parameters", t));
      request_.gradients.push_back(requireFloats(env, gradients[t], "gradients", t));
      request_.parameterRanges.push_back(rangeOf(request_.parameters[t], lengthOf(request_.tensors[t])));
    }
    request_.written.assign(env, request_.parameterRanges);
    for (std::size_t t = 0; t < count; ++t) {
      request_.written.refuse(env, t, rangeOf(request_.gradients[t], lengthOf(request_.tensors[t])));
    }
    last_ = emptyReport(request_);
    empty_ = count == 0;
    // A step of nothing is one too.
    if (empty_) return env.Undefined();
    const lo_cuda_step_request own = requestOf(request_.tensors, request_.gradients, request_.parameters, request_);
    check(library_.step(optimizer_, &own, stream));
    stepped_ = true;
    return env.Undefined();
  }

  Napi::Value lastReport(Napi::Env env) override {
    lo_cuda_step_report report = last_;
    // Also after a step of nothing: whoever asks wants to have waited.
    if (stepped_) check(library_.report(optimizer_, &report));
    if (empty_) report = last_;
    return makeReport(env, report.gradient_norm, report.skipped, {});
  }

  Napi::Value exportTensor(Napi::Env env, Napi::Value value) override {
    const int handle = requireHandle(value);
    const StateArrays<float> out = makeStateArrays<float>(env, sizesOf(handle), hasPosition(handle));
    const lo_cuda_state view = {out.view.hidden, out.view.momentum, out.view.scale, out.view.logRate, out.view.position,
                                tensorHidden_ == 0 ? nullptr : out.level};
    check(library_.export_tensor(optimizer_, handle, &view));
    return out.object;
  }

  Napi::Value position(Napi::Env env, Napi::Value value) override {
    const int handle = requireHandle(value);
    if (!hasPosition(handle)) return env.Undefined();
    const std::size_t n = lengthOf(handle);
    const Napi::Value out = newArray<float>(env, n);
    check(library_.export_position(optimizer_, handle, requireTypedArray<float>(out, "position", n).data));
    return out;
  }

  void importTensor(Napi::Value handleValue, Napi::Value stateValue) override {
    const int handle = requireHandle(handleValue);
    const StateInput<float> in = readState<float>(stateValue, sizesOf(handle), config_);
    // The structure serves export too; an import only reads.
    const auto mutableView = [](const float* p) { return const_cast<float*>(p); };
    const lo_cuda_state view = {mutableView(in.view.hidden),  mutableView(in.view.momentum), mutableView(in.view.scale),
                                mutableView(in.view.logRate), mutableView(in.view.position),
                                tensorHidden_ == 0 ? nullptr : mutableView(in.level)};
    check(library_.import_tensor(optimizer_, handle, &view));
  }

  Napi::Value globalHidden(Napi::Env env) override {
    const std::size_t n = static_cast<std::size_t>(globalHidden_);
    const Napi::Value out = newArray<float>(env, n);
    if (n != 0) check(library_.export_global(optimizer_, requireTypedArray<float>(out, "globalHidden", n).data));
    return out;
  }

  void setGlobalHidden(Napi::Value value) override {
    const float* const from = requireLevelState<float>(value, "globalHidden", static_cast<std::size_t>(globalHidden_));
    if (globalHidden_ != 0) check(library_.import_global(optimizer_, from));
  }

  std::size_t bytes() const override { return static_cast<std::size_t>(library_.bytes(optimizer_)); }

  // Runs on any thread, and touches no JavaScript.
  lo_cuda_step_report stepHost(const std::vector<int>& tensors, const std::vector<const float*>& gradients,
                               const std::vector<float*>& parameters, const StepRequest<float>& numbers) {
    lo_cuda_step_report report = emptyReport(numbers);
    if (tensors.empty()) return report;
    const lo_cuda_step_request own = requestOf(tensors, gradients, parameters, numbers);
    check(library_.step_host(optimizer_, &own, &report));
    return report;
  }

 private:
  void check(lo_cuda_status status) const { checkCuda(library_, status); }

  static lo_cuda_step_report emptyReport(const StepRequest<float>& numbers) {
    return {std::isfinite(numbers.clipNorm) ? 0.0 : std::nan(""), 0};
  }

  static lo_cuda_step_request requestOf(const std::vector<int>& tensors, const std::vector<const float*>& gradients,
                                        const std::vector<float*>& parameters, const StepRequest<float>& numbers) {
    return {tensors.size(),   tensors.data(),     gradients.data(),    parameters.data(),
            numbers.clipNorm, numbers.multiplier, numbers.weightDecay, numbers.iteration};
  }

  int requireHandle(Napi::Value value) const {
    const int handle = requireInteger(value, "tensor", 0, 2147483647.0);
    if (!hasTensor(handle)) throwRange(value.Env(), "tensor", "the handle of a tensor", describe(value));
    return handle;
  }

  bool hasPosition(int handle) const {
    int has = 0;
    check(library_.has_position(optimizer_, handle, &has));
    return has != 0;
  }

  StateSizes sizesOf(int handle) const {
    return {lengthOf(handle), static_cast<std::size_t>(config_.hidden), static_cast<std::size_t>(config_.timescales),
            static_cast<std::size_t>(tensorHidden_)};
  }

  const CudaLibrary& library_;
  Config config_;
  int tensorHidden_, globalHidden_;
  lo_cuda_optimizer* optimizer_ = nullptr;
  std::vector<std::size_t> lengths_;  // by handle; 0 once removed
  StepRequest<float> request_;
  // Steps on the device: whether there was one, whether the last was of no tensors, and then its report.
  bool stepped_ = false, empty_ = true;
  lo_cuda_step_report last_ = {std::nan(""), 0};
};

// All of the step is done off the event loop, on copies. Parameters are written at the end, as on the CPU; what the caller
// assigned to them in between is overwritten.
class CudaPendingStep final : public PendingStep {
 public:
  CudaPendingStep(CudaSession& session, const StepRequest<float>& request, Napi::Env env) : session_(session), tensors_(request.tensors) {
    numbers_.multiplier = request.multiplier;
    numbers_.weightDecay = request.weightDecay;
    numbers_.clipNorm = request.clipNorm;
    numbers_.iteration = request.iteration;
    const std::size_t count = tensors_.size();
    std::size_t total = 0;
    for (const int handle : tensors_) total += session.lengthOf(handle);
    copies_.resize(2 * total);
    float* target = copies_.data();
    for (std::size_t t = 0; t < count; ++t) {
      const std::size_t length = session.lengthOf(tensors_[t]);
      std::memcpy(target, request.gradients[t], length * sizeof(float));
      std::memcpy(target + total, request.parameters[t], length * sizeof(float));
      gradients_.push_back(target);
      parameters_.push_back(target + total);
      target += length;
    }
    // A list of our own: the caller may change the one it gave.
    Napi::Array arrays = Napi::Array::New(env, count);
    for (std::size_t t = 0; t < count; ++t) arrays.Set(static_cast<std::uint32_t>(t), request.parameterValues[t]);
    parameterArrays_ = Napi::Persistent(arrays.As<Napi::Object>());
  }

  void execute() override {
    try {
      report_ = session_.stepHost(tensors_, gradients_, parameters_, numbers_);
    } catch (const CudaFailure& failure) {
      failure_.emplace(failure);
    }
  }

  Napi::Value finish(Napi::Env env) override {
    if (failure_) throw CudaFailure(*failure_);
    const Napi::Object arrays = parameterArrays_.Value();
    std::vector<std::size_t> lost;
    for (std::size_t t = 0; t < tensors_.size(); ++t) {
      napi_typedarray_type type;
      std::size_t length = 0;
      void* data = nullptr;
      const Napi::Value value = arrays.Get(static_cast<std::uint32_t>(t));
      if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) == napi_ok && type == napi_float32_array &&
          length == session_.lengthOf(tensors_[t]) && data != nullptr) {
        std::memcpy(data, parameters_[t], length * sizeof(float));
      } else {
        lost.push_back(t);
      }
    }
    return makeReport(env, report_.gradient_norm, report_.skipped, lost);
  }

 private:
  CudaSession& session_;
  std::vector<int> tensors_;
  StepRequest<float> numbers_;
  std::vector<float> copies_;  // gradients, then parameters
  std::vector<const float*> gradients_;
  std::vector<float*> parameters_;
  Napi::ObjectReference parameterArrays_;
  lo_cuda_step_report report_{};
  std::optional<CudaFailure> failure_;
};

std::unique_ptr<PendingStep> CudaSession::begin(Napi::Value value) {
  request_.read(value, *this);
  return std::make_unique<CudaPendingStep>(*this, request_, value.Env());
}

}  // namespace

std::shared_ptr<Session> createCudaSession(Napi::Value value, const CellWeights& cell, const LevelWeights& levels, int stateBits) {
  const Napi::Object cuda = requireObject(value, "cuda");
  const CudaLibrary& library = requireCudaLibrary(cuda.Get("library"), "cuda.library");
  const int device = requireInteger(cuda.Get("device"), "cuda.device", 0, 2147483647.0);
  requireCudaDevice(value.Env(), library, "cuda.device", device);
  return std::make_shared<CudaSession>(library, device, cell, levels, stateBits);
}

}  // namespace lo
