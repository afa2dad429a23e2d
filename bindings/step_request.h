// Reads and checks one NativeStepRequest (types.ts).
#pragma once

#include <napi.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "../native/optimizer.h"

namespace lo {

// Memory ranges [begin, end), for the search for overlaps.
using Range = std::pair<const char*, const char*>;

template <class T>
Range rangeOf(const T* data, std::size_t length) {
  const char* const begin = reinterpret_cast<const char*>(data);
  return {begin, begin + length * sizeof(T)};
}

// RangeError when two arrays that a step writes share memory, or one that it writes and a gradient do. `written` holds
// the parameters, then `means` and `advanced`.
void refuseOverlaps(Napi::Env env, const std::vector<Range>& written, const std::vector<Range>& gradients);

// All pointers are valid until JavaScript runs again. The vectors are reused from step to step.
template <class T>
struct StepRequest {
  std::vector<int> tensors;
  std::vector<napi_value> parameterValues;
  std::vector<napi_value> gradientValues;
  std::vector<T*> parameters;
  std::vector<const T*> gradients;
  std::vector<Range> writtenRanges, gradientRanges;
  std::vector<int> sorted;
  const double* biases = nullptr;
  Napi::Value meansValue, advancedValue;
  double* means = nullptr;
  double* advanced = nullptr;
  double multiplier = 1, weightDecay = 0, clipNorm = 0;
  std::uint64_t iteration = 0;

  void read(Napi::Value value, const Optimizer<T>& optimizer);

 private:
  void readTensors(Napi::Object request, const Optimizer<T>& optimizer);
};

template <class T>
void StepRequest<T>::readTensors(Napi::Object request, const Optimizer<T>& optimizer) {
  const Napi::Env env = request.Env();
  const Napi::Array handles = requireArray(request.Get("tensors"), "tensors");
  const std::size_t count = handles.Length();
  tensors.clear();
  for (std::size_t t = 0; t < count; ++t) {
    const Napi::Value handle = handles.Get(static_cast<std::uint32_t>(t));
    const std::string name = "tensors[" + std::to_string(t) + "]";
    tensors.push_back(requireInteger(handle, name, 0, 2147483647.0));
    if (!optimizer.hasTensor(tensors.back())) throwRange(env, name, "the handle of a tensor", describe(handle));
  }
  sorted = tensors;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    throwRange(env, "tensors", "every tensor at most once", "handle " + std::to_string(*twice) + " twice");
  }
}

template <class T>
void StepRequest<T>::read(Napi::Value value, const Optimizer<T>& optimizer) {
  const Napi::Env env = value.Env();
  const Napi::Object request = requireObject(value, "request");
  readTensors(request, optimizer);
  const std::size_t count = tensors.size();

  // First take every value (an accessor may run JavaScript), then every pointer (nothing runs any more).
  const auto collect = [&](const char* key, std::vector<napi_value>& values) {
    const Napi::Array array = requireArray(request.Get(key), key);
    if (array.Length() != count) {
      throwRange(env, key, "an array of length " + std::to_string(count) + ", one entry per tensor", describe(array));
    }
    values.clear();
    for (std::size_t t = 0; t < count; ++t) values.push_back(array.Get(static_cast<std::uint32_t>(t)));
  };
  collect("parameters", parameterValues);
  collect("gradients", gradientValues);
  const Napi::Value biasesValue = request.Get("biases");
  meansValue = request.Get("means");
  advancedValue = request.Get("advanced");
  multiplier = requireNumber(request.Get("multiplier"), "multiplier", 0, HUGE_VAL);
  weightDecay = requireNumber(request.Get("weightDecay"), "weightDecay", 0, HUGE_VAL);
  clipNorm = requireNumber(request.Get("clipNorm"), "clipNorm", 0, HUGE_VAL, true);
  iteration = requireCount(request.Get("iteration"), "iteration");

  const std::size_t hidden = static_cast<std::size_t>(optimizer.config().hidden);
  const std::size_t inputs = static_cast<std::size_t>(optimizer.config().inputs());
  const ArrayView<double> biasView = requireTypedArray<double>(biasesValue, "biases", count * 3 * hidden);
  for (std::size_t i = 0; i < biasView.length; ++i) {
    if (!(std::fabs(biasView.data[i]) <= 1e9)) {
      throwRange(env, "biases[" + std::to_string(i) + "]", "a number from -1e9 to 1e9", numberText(biasView.data[i]));
    }
  }
  biases = biasView.data;
  means = requireTypedArray<double>(meansValue, "means", count * (hidden + inputs)).data;
  advanced = requireTypedArray<double>(advancedValue, "advanced", count).data;

  parameters.clear();
  gradients.clear();
  writtenRanges.clear();
  gradientRanges.clear();
  for (std::size_t t = 0; t < count; ++t) {
    const std::size_t length = optimizer.lengthOf(tensors[t]);
    // The names are only made when something is wrong: a step with a thousand tensors makes none.
    const auto view = [&](napi_value v, const char* key) {
      napi_typedarray_type type;
      std::size_t actual = 0;
      void* data = nullptr;
      if (napi_get_typedarray_info(env, v, &type, &actual, &data, nullptr, nullptr) == napi_ok &&
          type == ArrayTraits<T>::type && actual == length && data != nullptr) {
        return static_cast<T*>(data);
      }
      return requireTypedArray<T>(Napi::Value(env, v), std::string(key) + "[" + std::to_string(t) + "]", length).data;
    };
    T* const parameter = view(parameterValues[t], "parameters");
    const T* const gradient = view(gradientValues[t], "gradients");
    parameters.push_back(parameter);
    gradients.push_back(gradient);
    writtenRanges.push_back(rangeOf(parameter, length));
    gradientRanges.push_back(rangeOf(gradient, length));
  }
  writtenRanges.push_back(rangeOf(means, count * (hidden + inputs)));
  writtenRanges.push_back(rangeOf(advanced, count));
  refuseOverlaps(env, writtenRanges, gradientRanges);
}

}  // namespace lo
