// The borrowed tensors of a JavaScript thread (borrowed.ts), and gradients of a step that are given by their index among them.
#pragma once

#include <napi.h>

#include <cstddef>

namespace lo {

// Functions of the addon.
void defineBorrowing(Napi::Env env, Napi::Object exports);

// Values of the borrowed tensor whose index `value` is; null unless there is one with `length` numbers of type T.
template <class T>
const T* borrowedGradient(Napi::Env env, napi_value value, std::size_t length);

}  // namespace lo
