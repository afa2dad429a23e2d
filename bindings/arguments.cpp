#include "arguments.h"

#include <cstdio>

namespace lo {

std::string numberText(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "Infinity" : "-Infinity";
  if (v == std::floor(v) && std::fabs(v) < 1e15) return std::to_string(static_cast<long long>(v));
  char text[32];
  std::snprintf(text, sizeof text, "%g", v);
  return text;
}

namespace {

const char* typedArrayName(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array: return "Int8Array";
    case napi_uint8_array: return "Uint8Array";
    case napi_uint8_clamped_array: return "Uint8ClampedArray";
    case napi_int16_array: return "Int16Array";
    case napi_uint16_array: return "Uint16Array";
    case napi_int32_array: return "Int32Array";
    case napi_uint32_array: return "Uint32Array";
    case napi_float32_array: return "Float32Array";
    case napi_float64_array: return "Float64Array";
    case napi_bigint64_array: return "BigInt64Array";
    case napi_biguint64_array: return "BigUint64Array";
    default: return "typed array of another type";
  }
}

}  // namespace

std::string describe(Napi::Value value) {
  switch (value.Type()) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return value.As<Napi::Boolean>().Value() ? "true" : "false";
    case napi_number: return numberText(value.As<Napi::Number>().DoubleValue());
    case napi_string: return "a string";
    case napi_symbol: return "a symbol";
    case napi_bigint: return "a bigint";
    case napi_function: return "a function";
    default: break;
  }
  if (value.IsTypedArray()) {
    napi_typedarray_type type;
    std::size_t length = 0;
    if (napi_get_typedarray_info(value.Env(), value, &type, &length, nullptr, nullptr, nullptr) != napi_ok) {
      return "a typed array";
    }
    return std::string(typedArrayName(type)) + " of length " + std::to_string(length);
  }
  if (value.IsArray()) return "an array of length " + std::to_string(value.As<Napi::Array>().Length());
  if (value.IsArrayBuffer()) return "an ArrayBuffer";
  if (value.IsDataView()) return "a DataView";
  return "an object";
}

void throwType(Napi::Env env, const std::string& argument, const std::string& expected, const std::string& actual) {
  throw Napi::TypeError::New(env, argument + ": expected " + expected + ", got " + actual);
}

void throwRange(Napi::Env env, const std::string& argument, const std::string& expected, const std::string& actual) {
  throw Napi::RangeError::New(env, argument + ": expected " + expected + ", got " + actual);
}

Napi::Object requireObject(Napi::Value value, const std::string& argument) {
  if (!value.IsObject()) throwType(value.Env(), argument, "an object", describe(value));
  return value.As<Napi::Object>();
}

Napi::Array requireArray(Napi::Value value, const std::string& argument) {
  if (!value.IsArray()) throwType(value.Env(), argument, "an array", describe(value));
  return value.As<Napi::Array>();
}

double requireNumber(Napi::Value value, const std::string& argument, double min, double max, bool orInfinity) {
  if (!value.IsNumber()) throwType(value.Env(), argument, "a number", describe(value));
  const double v = value.As<Napi::Number>().DoubleValue();
  const bool inside = v >= min && v <= max && (orInfinity || std::isfinite(v));
  if (!inside) {
    std::string expected = max == HUGE_VAL ? "a number of at least " + numberText(min)
                                           : "a number from " + numberText(min) + " to " + numberText(max);
    if (!orInfinity && max == HUGE_VAL) expected = "a finite number of at least " + numberText(min);
    throwRange(value.Env(), argument, expected, describe(value));
  }
  return v;
}

int requireInteger(Napi::Value value, const std::string& argument, double min, double max) {
  if (!value.IsNumber()) throwType(value.Env(), argument, "an integer", describe(value));
  const double v = value.As<Napi::Number>().DoubleValue();
  if (!(v >= min && v <= max) || v != std::floor(v)) {
    throwRange(value.Env(), argument, "an integer from " + numberText(min) + " to " + numberText(max), describe(value));
  }
  return static_cast<int>(v);
}

std::uint64_t requireCount(Napi::Value value, const std::string& argument) {
  if (!value.IsNumber()) throwType(value.Env(), argument, "a whole number", describe(value));
  const double v = value.As<Napi::Number>().DoubleValue();
  if (!(v >= 0 && v <= 9007199254740991.0) || v != std::floor(v)) {
    throwRange(value.Env(), argument, "a whole number from 0 to 2^53 - 1", describe(value));
  }
  return static_cast<std::uint64_t>(v);
}

bool requireBoolean(Napi::Value value, const std::string& argument) {
  if (!value.IsBoolean()) throwType(value.Env(), argument, "true or false", describe(value));
  return value.As<Napi::Boolean>().Value();
}

std::string requireString(Napi::Value value, const std::string& argument) {
  if (!value.IsString()) throwType(value.Env(), argument, "a string", describe(value));
  return value.As<Napi::String>().Utf8Value();
}

Napi::Function requireConstructor(Napi::Env env, const char* name) {
  const Napi::Value value = env.Global().Get(name);
  if (!value.IsFunction()) throwType(env, std::string("globalThis.") + name, "a constructor", describe(value));
  return value.As<Napi::Function>();
}

std::vector<double> requireWeights(Napi::Value value, const std::string& argument, std::size_t length) {
  const ArrayView<double> view = requireTypedArray<double>(value, argument, length);
  std::vector<double> copy(view.data, view.data + view.length);
  for (std::size_t i = 0; i < copy.size(); ++i) {
    // Far beyond any trained weight, and small enough that no sum of products overflows float32.
    if (!(std::fabs(copy[i]) <= 1e6)) {
      throwRange(value.Env(), argument + "[" + std::to_string(i) + "]", "a number from -1e6 to 1e6",
                 numberText(copy[i]));
    }
  }
  return copy;
}

}  // namespace lo
