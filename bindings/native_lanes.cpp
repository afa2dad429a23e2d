#include "native_lanes.h"

#include <memory>
#include <vector>

#include "../native/lanes.h"
#include "../native/thread_pool.h"
#include "architecture.h"
#include "arguments.h"
#include "lane_calls.h"
#include "levels.h"

namespace lo {

namespace {

LaneModel readModel(Napi::Value value, const std::string& argument) {
  const Config config = readArchitecture(value, argument);
  const Napi::Object a = requireObject(value, argument);
  const LevelSizes sizes = readLevelSizes(value, argument);
  const bool shortcut = requireBoolean(a.Get("gradientShortcut"), argument + ".gradientShortcut");
  return makeLaneModel(config, sizes.levels, sizes.tensorHidden, sizes.globalHidden, shortcut);
}

// What a request says about its problems.
struct Layout {
  std::vector<int> lengths;
  LaneProblem problem;
  std::size_t blocks;
};

class NativeLanes final : public Napi::ObjectWrap<NativeLanes> {
 public:
  explicit NativeLanes(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeLanes>(info) {
    const Napi::Object options = requireObject(info[0], "options");
    model_ = readModel(options.Get("architecture"), "options.architecture");
    const std::string precision = requireString(options.Get("precision"), "options.precision");
    if (precision != "float32" && precision != "float64") {
      throwRange(info.Env(), "options.precision", "'float32' or 'float64'", "'" + precision + "'");
    }
    if (precision == "float32") {
      single_ = kernelsOf<float>(info.Env());
    } else {
      double_ = kernelsOf<double>(info.Env());
    }
    const int threads = requireInteger(options.Get("threads"), "options.threads", 0, 256);
    threads_ = threads == 0 ? ThreadPool::usableThreads() : static_cast<unsigned>(threads);
    pool_ = ThreadPool::shared();
  }

  Napi::Value width(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), single_ != nullptr ? single_->laneWidth : double_->laneWidth);
  }
  Napi::Value metaParameters(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), model_.metaParameters);
  }
  Napi::Value stateEntries(const Napi::CallbackInfo& info) {
    const Napi::Object request = requireObject(info[0], "request");
    const Layout layout = readLayout(request);
    return Napi::Number::New(info.Env(), static_cast<double>(laneStateEntries(model_, layout.problem)));
  }
  Napi::Value step(const Napi::CallbackInfo& info) {
    return single_ != nullptr ? stepOf(info, *single_) : stepOf(info, *double_);
  }
  Napi::Value stepBackward(const Napi::CallbackInfo& info) {
    return single_ != nullptr ? backwardOf(info, *single_) : backwardOf(info, *double_);
  }

 private:
  Layout readLayout(const Napi::Object& request) {
    Layout layout;
    const Napi::Array lengths = requireArray(request.Get("lengths"), "request.lengths");
    const std::uint32_t count = lengths.Length();
    if (count == 0 || count > 4096) {
      throwRange(request.Env(), "request.lengths", "1 to 4096 tensors", std::to_string(count));
    }
    double coordinates = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      layout.lengths.push_back(
          requireInteger(lengths.Get(i), "request.lengths[" + std::to_string(i) + "]", 1, 1 << 20));
      coordinates += layout.lengths.back();
    }
    if (coordinates > 1 << 20) {
      throwRange(request.Env(), "request.lengths", "at most 1048576 coordinates together", numberText(coordinates));
    }
    layout.problem = {layout.lengths.data(), static_cast<int>(count), static_cast<int>(coordinates)};
    layout.blocks = static_cast<std::size_t>(requireInteger(request.Get("blocks"), "request.blocks", 1, 1 << 16));
    return layout;
  }

  template <class T>
  Napi::Value stepOf(const Napi::CallbackInfo& info, const Kernels<T>& kernels) {
    const Napi::Env env = info.Env();
    const Napi::Object request = requireObject(info[0], "request");
    const Layout layout = readLayout(request);
    const std::size_t w = static_cast<std::size_t>(kernels.laneWidth), M = static_cast<std::size_t>(model_.metaParameters);
    const std::size_t n = static_cast<std::size_t>(layout.problem.coordinates) * w;
    const std::size_t entries = laneStateEntries(model_, layout.problem) * w;
    const bool perLane = requireBoolean(request.Get("weightsPerLane"), "request.weightsPerLane");
    const Napi::Value weightsValue = request.Get("weights"), stateValue = request.Get("state"),
                      gradientValue = request.Get("gradient"), nextValue = request.Get("next");
    const auto weights = requireTypedArray<T>(weightsValue, "request.weights", perLane ? M * w * layout.blocks : M);
    const auto state = requireTypedArray<T>(stateValue, "request.state", entries * layout.blocks);
    const auto gradient = requireTypedArray<T>(gradientValue, "request.gradient", n * layout.blocks);
    const auto next = requireTypedArray<T>(nextValue, "request.next", entries * layout.blocks);
    refuseOverlap(env, {"next", next.data, next.length * sizeof(T)},
                  {{"weights", weights.data, weights.length * sizeof(T)},
                   {"gradient", gradient.data, gradient.length * sizeof(T)}});
    if (next.data != state.data) {
      refuseOverlap(env, {"next", next.data, next.length * sizeof(T)},
                    {{"state", state.data, state.length * sizeof(T)}});
    }
    std::vector<LaneStepTask<T>> tasks(layout.blocks);
    for (std::size_t b = 0; b < layout.blocks; ++b) {
      tasks[b] = {&model_,          layout.problem,         weights.data + (perLane ? b * M * w : 0), perLane,
                  state.data + b * entries, gradient.data + b * n, next.data + b * entries};
    }
    runBlocks(*pool_, threads_, tasks, kernels.laneStep);
    return env.Undefined();
  }

  template <class T>
  Napi::Value backwardOf(const Napi::CallbackInfo& info, const Kernels<T>& kernels) {
    const Napi::Env env = info.Env();
    const Napi::Object request = requireObject(info[0], "request");
    const Layout layout = readLayout(request);
    const std::size_t w = static_cast<std::size_t>(kernels.laneWidth), M = static_cast<std::size_t>(model_.metaParameters);
    const std::size_t n = static_cast<std::size_t>(layout.problem.coordinates) * w;
    const std::size_t entries = laneStateEntries(model_, layout.problem) * w;
    const Napi::Value weightsValue = request.Get("weights"), stateValue = request.Get("state"),
                      gradientValue = request.Get("gradient"), adjointValue = request.Get("adjoint"),
                      gradientAdjointValue = request.Get("gradientAdjoint"),
                      weightsAdjointValue = request.Get("weightsAdjoint");
    const auto weights = requireTypedArray<T>(weightsValue, "request.weights", M);
    const auto state = requireTypedArray<T>(stateValue, "request.state", entries * layout.blocks);
    const auto gradient = requireTypedArray<T>(gradientValue, "request.gradient", n * layout.blocks);
    const auto adjoint = requireTypedArray<T>(adjointValue, "request.adjoint", entries * layout.blocks);
    const auto gradientAdjoint =
        requireTypedArray<T>(gradientAdjointValue, "request.gradientAdjoint", n * layout.blocks);
    const auto weightsAdjoint =
        requireTypedArray<T>(weightsAdjointValue, "request.weightsAdjoint", M * w * layout.blocks);
    const std::vector<Region> read = {{"weights", weights.data, weights.length * sizeof(T)},
                                      {"state", state.data, state.length * sizeof(T)},
                                      {"gradient", gradient.data, gradient.length * sizeof(T)}};
    std::vector<Region> others = read;
    for (const Region& written : {Region{"adjoint", adjoint.data, adjoint.length * sizeof(T)},
                                  Region{"gradientAdjoint", gradientAdjoint.data, gradientAdjoint.length * sizeof(T)},
                                  Region{"weightsAdjoint", weightsAdjoint.data, weightsAdjoint.length * sizeof(T)}}) {
      refuseOverlap(env, written, others);
      others.push_back(written);
    }
    std::vector<LaneBackwardTask<T>> tasks(layout.blocks);
    for (std::size_t b = 0; b < layout.blocks; ++b) {
      tasks[b] = {&model_,
                  layout.problem,
                  weights.data,
                  state.data + b * entries,
                  gradient.data + b * n,
                  adjoint.data + b * entries,
                  gradientAdjoint.data + b * n,
                  weightsAdjoint.data + b * M * w};
    }
    runBlocks(*pool_, threads_, tasks, kernels.laneBackward);
    return env.Undefined();
  }

  LaneModel model_;
  const Kernels<float>* single_ = nullptr;
  const Kernels<double>* double_ = nullptr;
  unsigned threads_ = 1;
  std::shared_ptr<ThreadPool> pool_;

  friend Napi::Function lo::defineNativeLanes(Napi::Env env);
};

}  // namespace

Napi::Function defineNativeLanes(Napi::Env env) {
  return NativeLanes::DefineClass(env, "NativeLanes",
                                  {
                                      NativeLanes::InstanceAccessor<&NativeLanes::width>("width"),
                                      NativeLanes::InstanceAccessor<&NativeLanes::metaParameters>("metaParameters"),
                                      NativeLanes::InstanceMethod<&NativeLanes::stateEntries>("stateEntries"),
                                      NativeLanes::InstanceMethod<&NativeLanes::step>("step"),
                                      NativeLanes::InstanceMethod<&NativeLanes::stepBackward>("stepBackward"),
                                  });
}

}  // namespace lo
