// Proves that the per-parameter mathematics compiles for the device, forward and reverse, in single and double precision:
// one CUDA thread per coordinate. Compiled by scripts/build-cuda.mjs --check; nothing links it.
#include "../param_step_backward.h"

namespace lo {

constexpr unsigned kPaper = kGradientProducts | kRelativeLogMagnitude | kRelativeLearningRate;

template <class T, class Shape>
__global__ void advanceCoordinates(Shape shape, Cell<T> cell, const T* bias, T meanLogRate, const T* gradient,
                                   Coordinates<T, Shape>* state, T* direction, T* logStep, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  Coordinates<T, Shape> c = state[i];
  StepOutputs<T, Shape> out;
  advance(shape, cell, bias, meanLogRate, gradient[i], c, out);
  state[i] = c;
  direction[i] = out.direction;
  logStep[i] = out.logStep;
}

template <class T, class Shape>
__global__ void reverseCoordinates(Shape shape, Cell<T> cell, const T* bias, T meanLogRate, const T* gradient,
                                   const Coordinates<T, Shape>* state, StepAdjoint<T, Shape>* adjoint,
                                   CellAdjoint<T, T> weights, T* barBias, T* barGradient, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  Coordinates<T, Shape> c = state[i], old;
  StepOutputs<T, Shape> out;
  StepTape<T, Shape> tape;
  T barMean(0);
  advanceAndRecord(shape, cell, bias, meanLogRate, gradient[i], c, out, tape);
  advanceBackward(shape, cell, tape, gradient[i], state[i], adjoint[i], weights, barBias, barMean, old, barGradient[i]);
  adjoint[i].state = old;
}

template <class T, class Shape>
void instantiate(Shape shape) {
  advanceCoordinates<T, Shape><<<1, 128>>>(shape, Cell<T>{}, nullptr, T(0), nullptr, nullptr, nullptr, nullptr, 0);
  reverseCoordinates<T, Shape><<<1, 128>>>(shape, Cell<T>{}, nullptr, T(0), nullptr, nullptr, nullptr,
                                           CellAdjoint<T, T>{}, nullptr, nullptr, 0);
}

template void instantiate<float>(StaticShape<10, 4, kPaper>);
template void instantiate<double>(StaticShape<10, 4, kPaper>);
template void instantiate<float>(DynamicShape);
template void instantiate<double>(DynamicShape);

}  // namespace lo
