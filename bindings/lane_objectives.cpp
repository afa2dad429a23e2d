#include "lane_objectives.h"

#include <memory>

#include "../native/lane_objectives.h"
#include "lane_calls.h"

namespace lo {

namespace {

// Whether the request's arrays are of double precision: its `x` or `parameters` decides.
bool isDouble(Napi::Value value, const std::string& argument) {
  if (value.IsTypedArray()) {
    const napi_typedarray_type type = value.As<Napi::TypedArray>().TypedArrayType();
    if (type == napi_float64_array) return true;
    if (type == napi_float32_array) return false;
  }
  throwType(value.Env(), argument, "Float32Array or Float64Array", describe(value));
}

int readSize(const Napi::Object& request, const char* key, int max) {
  return requireInteger(request.Get(key), std::string("request.") + key, 1, max);
}

struct Calling {
  std::size_t blocks;
  unsigned threads;
  std::shared_ptr<ThreadPool> pool = ThreadPool::shared();
};

Calling readCalling(const Napi::Object& request) {
  Calling calling;
  calling.blocks = static_cast<std::size_t>(readSize(request, "blocks", 1 << 16));
  const int threads = requireInteger(request.Get("threads"), "request.threads", 0, 256);
  calling.threads = threads == 0 ? ThreadPool::usableThreads() : static_cast<unsigned>(threads);
  return calling;
}

template <class T>
ArrayView<T> optionalArray(Napi::Value value, const std::string& argument, std::size_t length) {
  if (value.IsNull()) return {};
  return requireTypedArray<T>(value, argument, length);
}

template <class T>
Napi::Value residualsOf(Napi::Env env, const Napi::Object& request) {
  const Kernels<T>& kernels = *kernelsOf<T>(env);
  const Calling calling = readCalling(request);
  const int rows = readSize(request, "rows", 1 << 14), columns = readSize(request, "columns", 1 << 14);
  const std::size_t w = static_cast<std::size_t>(kernels.laneWidth), B = calling.blocks;
  const std::size_t r = static_cast<std::size_t>(rows) * w, c = static_cast<std::size_t>(columns) * w;
  const Napi::Value values[] = {request.Get("matrix"), request.Get("target"), request.Get("exponent"),
                                request.Get("x"),      request.Get("value"),  request.Get("gradient")};
  const auto matrix = requireTypedArray<T>(values[0], "request.matrix", B * r * static_cast<std::size_t>(columns));
  const auto target = requireTypedArray<T>(values[1], "request.target", B * r);
  const auto exponent = requireTypedArray<T>(values[2], "request.exponent", B * w);
  const auto x = requireTypedArray<T>(values[3], "request.x", B * c);
  const auto value = requireTypedArray<T>(values[4], "request.value", B * w);
  const auto gradient = optionalArray<T>(values[5], "request.gradient", B * c);
  std::vector<Region> others = {regionOf("matrix", matrix), regionOf("target", target), regionOf("exponent", exponent),
                                regionOf("x", x)};
  refuseOverlap(env, regionOf("value", value), others);
  others.push_back(regionOf("value", value));
  if (gradient.data != nullptr) refuseOverlap(env, regionOf("gradient", gradient), others);
  std::vector<LaneResidualTask<T>> tasks(B);
  for (std::size_t b = 0; b < B; ++b) {
    tasks[b] = {rows,
                columns,
                matrix.data + b * r * static_cast<std::size_t>(columns),
                target.data + b * r,
                exponent.data + b * w,
                x.data + b * c,
                value.data + b * w,
                gradient.data == nullptr ? nullptr : gradient.data + b * c};
  }
  runBlocks(*calling.pool, calling.threads, tasks, kernels.laneResiduals);
  return env.Undefined();
}

// [blocks][count] numbers of samples, or all samples in order.
ArrayView<std::int32_t> readIndices(Napi::Value value, std::size_t length, int samples) {
  if (value.IsNull()) return {};
  const auto indices = requireTypedArray<std::int32_t>(value, "request.indices", length);
  for (std::size_t i = 0; i < length; ++i) {
    if (indices.data[i] < 0 || indices.data[i] >= samples) {
      throwRange(value.Env(), "request.indices[" + std::to_string(i) + "]", "0 to " + std::to_string(samples - 1),
                 std::to_string(indices.data[i]));
    }
  }
  return indices;
}

template <class T>
Napi::Value regressionOf(Napi::Env env, const Napi::Object& request) {
  const Kernels<T>& kernels = *kernelsOf<T>(env);
  const Calling calling = readCalling(request);
  const int inputs = readSize(request, "inputs", 1 << 12), outputs = readSize(request, "outputs", kMaxRegressionOutputs);
  const int sampleCount = readSize(request, "sampleCount", 1 << 16), count = readSize(request, "count", 1 << 16);
  const std::size_t w = static_cast<std::size_t>(kernels.laneWidth), B = calling.blocks;
  const std::size_t n = static_cast<std::size_t>(sampleCount), I = static_cast<std::size_t>(inputs);
  const std::size_t C = static_cast<std::size_t>(outputs), parametersLength = (I * C + C) * w;
  const Napi::Value values[] = {request.Get("loss"),    request.Get("samples"),    request.Get("targets"),
                                request.Get("indices"), request.Get("parameters"), request.Get("value"),
                                request.Get("gradient")};
  const auto loss = requireTypedArray<T>(values[0], "request.loss", B * w);
  std::size_t squared = 0;
  for (std::size_t i = 0; i < loss.length; ++i) {
    if (loss.data[i] != T(kSoftmaxCrossEntropy) && loss.data[i] != T(kBrier) && loss.data[i] != T(kSquaredError)) {
      throwRange(env, "request.loss[" + std::to_string(i) + "]", "0, 1 or 2", numberText(static_cast<double>(loss.data[i])));
    }
    squared += loss.data[i] == T(kSquaredError) ? 1 : 0;
  }
  if (squared != 0 && squared != loss.length) {
    throwRange(env, "request.loss", "squared error in every lane or in none", std::to_string(squared) + " lanes");
  }
  const std::size_t targetLength = n * (squared != 0 ? C : 1) * w;
  const auto samples = requireTypedArray<T>(values[1], "request.samples", B * n * I * w);
  const auto targets = requireTypedArray<T>(values[2], "request.targets", B * targetLength);
  const auto indices = readIndices(values[3], B * static_cast<std::size_t>(count), sampleCount);
  if (indices.data == nullptr && count > sampleCount) {
    throwRange(env, "request.count", "at most " + std::to_string(sampleCount), std::to_string(count));
  }
  const auto parameters = requireTypedArray<T>(values[4], "request.parameters", B * parametersLength);
  const auto value = requireTypedArray<T>(values[5], "request.value", B * w);
  const auto gradient = optionalArray<T>(values[6], "request.gradient", B * parametersLength);
  std::vector<Region> others = {regionOf("loss", loss), regionOf("samples", samples), regionOf("targets", targets),
                                regionOf("parameters", parameters)};
  // Sample numbers were checked as they are now; what is written must not change them.
  if (indices.data != nullptr) others.push_back(regionOf("indices", indices));
  refuseOverlap(env, regionOf("value", value), others);
  others.push_back(regionOf("value", value));
  if (gradient.data != nullptr) refuseOverlap(env, regionOf("gradient", gradient), others);
  std::vector<LaneRegressionTask<T>> tasks(B);
  for (std::size_t b = 0; b < B; ++b) {
    tasks[b] = {inputs,
                outputs,
                loss.data + b * w,
                samples.data + b * n * I * w,
                targets.data + b * targetLength,
                indices.data == nullptr ? nullptr : indices.data + b * static_cast<std::size_t>(count),
                count,
                parameters.data + b * parametersLength,
                value.data + b * w,
                gradient.data == nullptr ? nullptr : gradient.data + b * parametersLength};
  }
  runBlocks(*calling.pool, calling.threads, tasks, kernels.laneRegression);
  return env.Undefined();
}

}  // namespace

Napi::Value laneResiduals(const Napi::CallbackInfo& info) {
  const Napi::Object request = requireObject(info[0], "request");
  return isDouble(request.Get("x"), "request.x") ? residualsOf<double>(info.Env(), request)
                                                 : residualsOf<float>(info.Env(), request);
}

Napi::Value laneRegression(const Napi::CallbackInfo& info) {
  const Napi::Object request = requireObject(info[0], "request");
  return isDouble(request.Get("parameters"), "request.parameters") ? regressionOf<double>(info.Env(), request)
                                                                   : regressionOf<float>(info.Env(), request);
}

}  // namespace lo
