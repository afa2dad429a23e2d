// Reads and checks one NativeStepRequest (types.ts).
#pragma once

#include <napi.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "borrowed_gradients.h"
#include "../native/optimizer.h"

namespace lo {

// Memory ranges [begin, end), for the search for overlaps.
using Range = std::pair<const char*, const char*>;

template <class T>
Range rangeOf(const T* data, std::size_t length) {
  const char* const begin = reinterpret_cast<const char*>(data);
  return {begin, begin + length * sizeof(T)};
}

// The arrays that a step writes: the parameters.
class WrittenArrays {
 public:
  // Takes the ranges over; RangeError when two of them share memory. What an earlier call left is reused: the same arrays
  // need no sorting and no memory.
  void assign(Napi::Env env, const std::vector<Range>& ranges);
  bool sharesMemory(const Range& range) const { return find(range) >= 0; }
  // RangeError when gradient number `index` shares memory with one of them.
  void refuse(Napi::Env env, std::size_t index, const Range& gradient) const;

 private:
  int find(const Range& range) const;

  std::vector<Range> ranges_;
  std::vector<std::uint32_t> order_;  // By address.
};

// All pointers are valid until JavaScript runs again. The vectors are reused from step to step.
template <class T>
struct StepRequest {
  std::vector<int> tensors;
  std::vector<napi_value> parameterValues;
  std::vector<napi_value> gradientValues;
  std::vector<T*> parameters;
  std::vector<const T*> gradients;
  std::vector<bool> borrowed;
  std::vector<std::vector<T>> gradientCopies;
  std::vector<Range> parameterRanges;
  WrittenArrays written;
  std::vector<int> sorted;
  double multiplier = 1, weightDecay = 0, clipNorm = 0;
  std::uint64_t iteration = 0;

  // `optimizer` knows hasTensor(handle) and lengthOf(handle).
  template <class Tensors>
  void read(Napi::Value value, const Tensors& optimizer);
  template <class Tensors>
  void readTensors(Napi::Object request, const Tensors& optimizer);
  void readNumbers(Napi::Object request);
};

template <class T>
template <class Tensors>
void StepRequest<T>::readTensors(Napi::Object request, const Tensors& optimizer) {
  const Napi::Env env = request.Env();
  const Napi::Array handles = requireArray(request.Get("tensors"), "tensors");
  const std::size_t count = handles.Length();
  tensors.clear();
  for (std::size_t t = 0; t < count; ++t) {
    const Napi::Value handle = handles.Get(static_cast<std::uint32_t>(t));
    // Names are only made when something is wrong: a step with a thousand tensors makes none.
    double v = -1;
    if (napi_get_value_double(env, handle, &v) != napi_ok || !(v >= 0 && v <= 2147483647.0) || v != std::floor(v) ||
        !optimizer.hasTensor(static_cast<int>(v))) {
      const std::string name = "tensors[" + std::to_string(t) + "]";
      requireInteger(handle, name, 0, 2147483647.0);
      throwRange(env, name, "the handle of a tensor", describe(handle));
    }
    tensors.push_back(static_cast<int>(v));
  }
  const auto notAbove = [](int a, int b) { return a >= b; };
  if (std::adjacent_find(tensors.begin(), tensors.end(), notAbove) == tensors.end()) return;
  sorted = tensors;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    throwRange(env, "tensors", "every tensor at most once", "handle " + std::to_string(*twice) + " twice");
  }
}

template <class T>
void StepRequest<T>::readNumbers(Napi::Object request) {
  multiplier = requireNumber(request.Get("multiplier"), "multiplier", 0, HUGE_VAL);
  weightDecay = requireNumber(request.Get("weightDecay"), "weightDecay", 0, HUGE_VAL);
  clipNorm = requireNumber(request.Get("clipNorm"), "clipNorm", 0, HUGE_VAL, true);
  iteration = requireCount(request.Get("iteration"), "iteration");
}

template <class T>
template <class Tensors>
void StepRequest<T>::read(Napi::Value value, const Tensors& optimizer) {
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
  readNumbers(request);

  parameters.clear();
  gradients.clear();
  gradientCopies.clear();
  borrowed.clear();
  parameterRanges.clear();
  for (std::size_t t = 0; t < count; ++t) {
    const std::size_t length = optimizer.lengthOf(tensors[t]);
    // The names are only made when something is wrong: a step with a thousand tensors makes none.
    const auto view = [&](napi_value v, const char* key) -> T* {
      napi_typedarray_type type;
      std::size_t actual = 0;
      void* data = nullptr;
      if (napi_get_typedarray_info(env, v, &type, &actual, &data, nullptr, nullptr) == napi_ok &&
          type == ArrayTraits<T>::type && actual == length && data != nullptr) {
        return static_cast<T*>(data);
      }
      return requireTypedArray<T>(Napi::Value(env, v), std::string(key) + "[" + std::to_string(t) + "]", length).data;
    };
    parameters.push_back(view(parameterValues[t], "parameters"));
    const T* const lent = borrowedGradient<T>(env, gradientValues[t], length);
    gradients.push_back(lent != nullptr ? lent : view(gradientValues[t], "gradients"));
    borrowed.push_back(lent != nullptr);
    parameterRanges.push_back(rangeOf(parameters.back(), length));
  }
  written.assign(env, parameterRanges);
  for (std::size_t t = 0; t < count; ++t) {
    const std::size_t length = optimizer.lengthOf(tensors[t]);
    const Range range = rangeOf(gradients[t], length);
    if (!borrowed[t]) {
      written.refuse(env, t, range);
    } else if (written.sharesMemory(range)) {
      // A tensor made from a variable without a kernel that copies, such as a reshaped one.
      gradientCopies.emplace_back(gradients[t], gradients[t] + length);
      gradients[t] = gradientCopies.back().data();
    }
  }
}

}  // namespace lo
