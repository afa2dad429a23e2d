// What the kernels do for the levels above the parameters, for several tensors at once and in double whatever the type T of
// the stored state: the biases that the tensor level gives to the parameter level, and the step of a recurrent cell.
#pragma once

#include <cstddef>

#include "gru.h"

namespace lo {

// out[t] = shared + states[t]·matrix.
template <class T>
struct LevelBiasTask {
  const T* const* states;  // [count], each [hidden]
  std::size_t count;
  int hidden;
  const double* matrix;  // [hidden][width]
  const double* shared;  // [width]: what all tensors have in common
  int width;
  double* out;  // [count][width]
};

// Advances the state of every tensor whose `advanced` is not 0.
template <class T>
struct LevelStepTask {
  GruWeights<double> cell;
  const double* injected;  // [3·hidden], or null
  const double* inputs;    // [count][stride], of which the first cell.inputs are used
  std::size_t stride;
  const double* advanced;  // [count]
  T* const* states;        // [count], each [hidden]
  std::size_t count;
};

}  // namespace lo
