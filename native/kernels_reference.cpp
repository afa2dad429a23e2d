// Double kernels: the reference, one coordinate at a time, with the C library's functions.
#include <cfloat>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels.h"
#include "gru.h"
#include "pack_group.h"

namespace lo {
namespace isa_reference {
namespace {

using T = double;
using P = double;
using Memory = double;

struct Lanes {
  using Mask = bool;
  static constexpr std::size_t width = 1;
  static constexpr int group = 1;
  static constexpr unsigned fullMask = 1u;
  static constexpr double largest = DBL_MAX;
  static constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();
  static LO_INLINE P load(const T* p) { return *p; }
  static LO_INLINE void store(T* p, P v) { *p = v; }
  static LO_INLINE unsigned bits(Mask m) { return m ? 1u : 0u; }
  static LO_INLINE Mask mask(unsigned bits) { return (bits & 1u) != 0; }
  static LO_INLINE double sum(P v) { return v; }
};

#include "kernels.inl"
#include "lanes.inl"
#include "lanes_backward.inl"
#include "lane_objectives.inl"

// State of coordinate `index`: its fields lie kBlock numbers apart.
T* fieldsAt(const AdvanceTask<T>& task, std::size_t index) {
  return task.blocks + index / kBlock * static_cast<std::size_t>(task.config->fields()) * kBlock + index % kBlock;
}

template <class Visit>
void forEachField(const DynamicShape& shape, T* at, Coordinates<P, DynamicShape>& c, Visit&& visit) {
  const auto next = [&](P& value) {
    visit(*at, value);
    at += kBlock;
  };
  for (int j = 0; j < shape.hidden(); ++j) next(c.hidden[j]);
  for (int s = 0; s < shape.timescales(); ++s) next(c.momentum[s]);
  for (int s = 0; s < shape.timescales(); ++s) next(c.scale[s]);
  next(c.logRate);
}

void advanceAny(const AdvanceTask<T>& task) {
  const DynamicShape shape = dynamicShape(*task.config);
  Accumulators<DynamicShape> sums(shape);
  for (std::size_t index = 0; index < task.count; ++index) {
    T* const fields = fieldsAt(task, index);
    Coordinates<P, DynamicShape> c;
    forEachField(shape, fields, c, [](const T& memory, P& value) { value = memory; });
    if (!std::isfinite(task.gradient[index])) {
      task.raw[index] = Lanes::notANumber;
      if (shape.has(kAttention)) task.rawAttention[index] = Lanes::notANumber;
      sums.logRate += c.logRate;
      continue;
    }
    StepOutputs<P, DynamicShape> out;
    advance(shape, *task.cell, task.bias, task.meanLogRate, task.gradient[index] * task.gradientScale, c, out);
    forEachField(shape, fields, c, [](T& memory, const P& value) { memory = value; });
    const RawSteps<P, DynamicShape> steps(shape, *task.cell, out);
    task.raw[index] = steps.raw;
    for (int j = 0; j < shape.hidden(); ++j) sums.hidden[j] += c.hidden[j];
    for (int i = 0; i < shape.inputs(); ++i) sums.inputs[i] += out.inputs[i];
    sums.directionSquares += out.direction * out.direction;
    if (shape.has(kAttention)) {
      task.rawAttention[index] = steps.attention;
      sums.attentionSquares += out.attentionDirection * out.attentionDirection;
    }
    sums.logRate += c.logRate;
    ++sums.advanced;
  }
  for (int j = 0; j < shape.hidden(); ++j) task.means[j] = sums.hidden[j];
  for (int i = 0; i < shape.inputs(); ++i) task.means[shape.hidden() + i] = sums.inputs[i];
  *task.sums = {sums.directionSquares, sums.attentionSquares, sums.logRate, static_cast<double>(sums.advanced)};
}

using Wide = double;
constexpr std::size_t wideWidth = 1;
LO_INLINE Wide loadWide(const double* p) { return *p; }
LO_INLINE void storeWide(double* p, Wide v) { *p = v; }

#include "levels.inl"

void laneStepAny(const LaneStepTask<T>& task) { laneStep<T>(task, dynamicShape(task.model->config)); }
void laneBackwardAny(const LaneBackwardTask<T>& task) { laneBackward(task, dynamicShape(task.model->config)); }

}  // namespace
}  // namespace isa_reference

const Kernels<double>* referenceKernels() {
  static constexpr Kernels<double> kernels = {"reference",
                                               &isa_reference::advanceAny,
                                               &isa_reference::applyChunk,
                                               static_cast<int>(isa_reference::Lanes::width),
                                               &isa_reference::laneStepAny,
                                               &isa_reference::laneBackwardAny,
                                               &isa_reference::laneResiduals,
                                               &isa_reference::laneRegression,
                                               &isa_reference::levelBiases,
                                               &isa_reference::levelStep};
  return &kernels;
}

}  // namespace lo
