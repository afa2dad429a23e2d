// State of a tensor as JavaScript arrays (TensorState in types.ts): made for an export, checked for an import.
#pragma once

#include <napi.h>

#include <iterator>
#include <limits>
#include <string>

#include "../native/optimizer.h"
#include "arguments.h"

namespace lo {

struct StateSizes {
  std::size_t length, hidden, timescales;
  std::size_t level;  // of the tensor's own network
};

// Made by the JavaScript constructor: it throws a RangeError when memory runs out, where Node-API ends the process.
template <class T>
Napi::Value newArray(Napi::Env env, std::size_t length) {
  return requireConstructor(env, ArrayTraits<T>::name).New({Napi::Number::New(env, static_cast<double>(length))});
}

// A number of coordinates.
inline std::size_t requireLength(Napi::Value value) {
  // 2^40 coordinates are more than any address space holds state for; beyond that the sizes could overflow.
  if (!value.IsNumber()) throwType(value.Env(), "length", "a number", describe(value));
  const double length = requireNumber(value, "length", 1, 1099511627776.0);
  if (length != std::floor(length)) throwRange(value.Env(), "length", "an integer", describe(value));
  return static_cast<std::size_t>(length);
}

// η of every coordinate.
template <class T>
const T* requireRates(Napi::Value value, std::size_t length, double max) {
  const ArrayView<T> rates = requireTypedArray<T>(value, "logLearningRate", length);
  for (std::size_t i = 0; i < rates.length; ++i) {
    const double v = static_cast<double>(rates.data[i]);
    if (!(v >= kMinLogLearningRate && v <= max)) {
      throwRange(value.Env(), "logLearningRate[" + std::to_string(i) + "]",
                 "a number from " + numberText(kMinLogLearningRate) + " to " + numberText(max), numberText(v));
    }
  }
  return rates.data;
}

// The entries of an array of numbers within bounds.
template <class T>
const T* requireBounded(Napi::Value value, const std::string& argument, std::size_t length, double min, double max) {
  const ArrayView<T> view = requireTypedArray<T>(value, argument, length);
  for (std::size_t i = 0; i < length; ++i) {
    const double x = static_cast<double>(view.data[i]);
    if (x >= min && x <= max) continue;
    throwRange(value.Env(), argument + "[" + std::to_string(i) + "]",
               "a number from " + numberText(min) + " to " + numberText(max), numberText(x));
  }
  return view.data;
}

// The global state, or that of a tensor's network.
template <class T>
const T* requireLevelState(Napi::Value value, const std::string& argument, std::size_t length) {
  return requireBounded<T>(value, argument, length, -1e6, 1e6);
}

// New arrays and where their memory is, until JavaScript runs again.
template <class T>
struct StateArrays {
  Napi::Object object;
  TensorStateView<T> view{};
  T* level = nullptr;
};

template <class T>
StateArrays<T> makeStateArrays(Napi::Env env, const StateSizes& s, bool hasPosition) {
  const struct {
    const char* key;
    std::size_t length;
    T* TensorStateView<T>::*target;
  } arrays[] = {
      {"hidden", s.length * s.hidden, &TensorStateView<T>::hidden},
      {"momentum", s.length * s.timescales, &TensorStateView<T>::momentum},
      {"scale", s.length * s.timescales, &TensorStateView<T>::scale},
      {"logLearningRate", s.length, &TensorStateView<T>::logRate},
      {"position", s.length, &TensorStateView<T>::position},
  };
  const std::size_t count = hasPosition ? std::size(arrays) : std::size(arrays) - 1;
  StateArrays<T> out;
  out.object = Napi::Object::New(env);
  Napi::Value values[std::size(arrays)];
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = newArray<T>(env, arrays[i].length);
    out.object.DefineProperty(Napi::PropertyDescriptor::Value(arrays[i].key, values[i], napi_default_jsproperty));
  }
  const Napi::Value tensorHidden = newArray<T>(env, s.level);
  out.object.DefineProperty(Napi::PropertyDescriptor::Value("tensorHidden", tensorHidden, napi_default_jsproperty));
  // No JavaScript runs from here on.
  for (std::size_t i = 0; i < count; ++i) {
    out.view.*arrays[i].target = requireTypedArray<T>(values[i], arrays[i].key, arrays[i].length).data;
  }
  out.level = requireTypedArray<T>(tensorHidden, "tensorHidden", s.level).data;
  return out;
}

// A state to import.
template <class T>
struct StateInput {
  TensorStateView<const T> view{};
  const T* level = nullptr;
};

template <class T>
StateInput<T> readState(Napi::Value value, const StateSizes& s, const Config& config) {
  const Napi::Object state = requireObject(value, "state");
  const Napi::Value hidden = state.Get("hidden"), momentum = state.Get("momentum"), scale = state.Get("scale");
  const Napi::Value rate = state.Get("logLearningRate"), position = state.Get("position");
  const Napi::Value tensorHidden = state.Get("tensorHidden");
  const auto checked = [](Napi::Value v, const char* key, std::size_t length, double min, double max) {
    return requireBounded<T>(v, std::string("state.") + key, length, min, max);
  };
  const bool hasPosition = !position.IsUndefined() && !position.IsNull();
  if (hasPosition && !config.attention()) {
    throwType(value.Env(), "state.position", "undefined, since this architecture has no attention", describe(position));
  }
  StateInput<T> in;
  in.view.hidden = checked(hidden, "hidden", s.length * s.hidden, -1e6, 1e6);
  in.view.momentum = checked(momentum, "momentum", s.length * s.timescales, -1.001 * kMaxGradient, 1.001 * kMaxGradient);
  in.view.scale = checked(scale, "scale", s.length * s.timescales, 0, 1.01 * kMaxGradient * kMaxGradient);
  in.view.logRate = checked(rate, "logLearningRate", s.length, kMinLogLearningRate, config.maxLogLearningRate);
  constexpr double largest = std::numeric_limits<T>::max();
  if (hasPosition) in.view.position = checked(position, "position", s.length, -largest, largest);
  in.level = requireLevelState<T>(tensorHidden, "state.tensorHidden", s.level);
  return in;
}

}  // namespace lo
