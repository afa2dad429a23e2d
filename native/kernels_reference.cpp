// Double kernels: the reference, one coordinate at a time, with the C library's functions.
#include <cfloat>
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
  static constexpr int stepGroup = 1;
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

void advanceAny(const AdvanceTask<T>& task) { advanceChunk<PlainState>(task, dynamicShape(*task.config)); }

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
                                               &isa_reference::laneRegression};
  return &kernels;
}

}  // namespace lo
