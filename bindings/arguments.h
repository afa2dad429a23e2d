// Checks of JavaScript values at the boundary. Every failure is a TypeError or RangeError that names the argument,
// what was expected and what came.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lo {

template <class T>
struct ArrayTraits;
template <>
struct ArrayTraits<float> {
  static constexpr napi_typedarray_type type = napi_float32_array;
  static constexpr const char* name = "Float32Array";
};
template <>
struct ArrayTraits<double> {
  static constexpr napi_typedarray_type type = napi_float64_array;
  static constexpr const char* name = "Float64Array";
};
template <>
struct ArrayTraits<std::int32_t> {
  static constexpr napi_typedarray_type type = napi_int32_array;
  static constexpr const char* name = "Int32Array";
};
template <>
struct ArrayTraits<std::uint64_t> {
  static constexpr napi_typedarray_type type = napi_biguint64_array;
  static constexpr const char* name = "BigUint64Array";
};

// A view of a typed array's memory, valid until JavaScript runs again.
template <class T>
struct ArrayView {
  T* data = nullptr;
  std::size_t length = 0;
};

// Numbers and values as error messages show them.
std::string numberText(double v);
std::string describe(Napi::Value value);

[[noreturn]] void throwType(Napi::Env env, const std::string& argument, const std::string& expected,
                            const std::string& actual);
[[noreturn]] void throwRange(Napi::Env env, const std::string& argument, const std::string& expected,
                             const std::string& actual);

Napi::Object requireObject(Napi::Value value, const std::string& argument);
Napi::Array requireArray(Napi::Value value, const std::string& argument);
// A finite number, unless `orInfinity`; NaN never.
double requireNumber(Napi::Value value, const std::string& argument, double min, double max, bool orInfinity = false);
// A whole number from 0 to 2^53 - 1.
std::uint64_t requireCount(Napi::Value value, const std::string& argument);
int requireInteger(Napi::Value value, const std::string& argument, double min, double max);
bool requireBoolean(Napi::Value value, const std::string& argument);
std::string requireString(Napi::Value value, const std::string& argument);
// A constructor of the global object.
Napi::Function requireConstructor(Napi::Env env, const char* name);

// Copy of a Float64Array of exactly `length` entries, none beyond ±1e6.
std::vector<double> requireWeights(Napi::Value value, const std::string& argument, std::size_t length);

// A typed array of element type T with exactly `length` elements in live memory. A detached buffer, or one that was
// resized below the array's range, is refused.
template <class T>
ArrayView<T> requireTypedArray(Napi::Value value, const std::string& argument, std::size_t length) {
  Napi::Env env = value.Env();
  const std::string expected = std::string(ArrayTraits<T>::name) + " of length " + std::to_string(length);
  if (!value.IsTypedArray()) throwType(env, argument, expected, describe(value));
  napi_typedarray_type type;
  std::size_t actual = 0, offset = 0;
  void* data = nullptr;
  napi_value buffer;
  if (napi_get_typedarray_info(env, value, &type, &actual, &data, &buffer, &offset) != napi_ok) {
    throwType(env, argument, expected, "a typed array whose memory cannot be read");
  }
  if (type != ArrayTraits<T>::type) throwType(env, argument, expected, describe(value));
  bool detached = false;
  if (napi_is_detached_arraybuffer(env, buffer, &detached) == napi_ok && detached) {
    throwType(env, argument, expected, "an array whose buffer was detached (transferred, or grown WebAssembly memory)");
  }
  if (actual != length) throwRange(env, argument, expected, describe(value));
  if (length != 0 && data == nullptr) {
    throwType(env, argument, expected, "an array without memory (was its buffer detached or resized?)");
  }
  return {static_cast<T*>(data), actual};
}

}  // namespace lo
