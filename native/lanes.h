// Meta-training advances many small problems of one kind side by side, one in each lane of a pack: a block. Here all three
// levels of the optimizer are computed natively, forward and reverse, for the problems of a block.
//
// State of a block, in this order, every entry [lanes]: of each coordinate hidden, ḡ, λ, η; of each tensor its hidden
// state; the global hidden state; θ of each coordinate; with attention φ of each coordinate.
#pragma once

#include <cstddef>

#include "config.h"

namespace lo {

// The meta-parameters in the order of the flat vector (metaParameterShapes in lib/optimizer/architecture.ts).
enum MetaParameter : int {
  kParameterInitialHidden,
  kTensorInitialHidden,
  kGlobalInitialHidden,
  kUpdateReadout,
  kAttentionReadout,
  kScaleDecayReadout,
  kScaleDecayBias,
  kInputDecayReadout,
  kInputDecayBias,
  kLearningRateReadout,
  kLearningRateBias,
  kTensorToParameterMatrix,
  kTensorToParameterBias,
  kGlobalToParameterMatrix,
  kGlobalToParameterBias,
  kParameterGatesMatrix,
  kParameterGatesBias,
  kParameterCandidateMatrix,
  kParameterCandidateBias,
  kGlobalToTensorMatrix,
  kGlobalToTensorBias,
  kTensorGatesMatrix,
  kTensorGatesBias,
  kTensorCandidateMatrix,
  kTensorCandidateBias,
  kUpdateShortcut,
  kAttentionShortcut,
  kMomentumLogit,
  kStepSizeOffset,
  kGlobalGatesMatrix,
  kGlobalGatesBias,
  kGlobalCandidateMatrix,
  kGlobalCandidateBias,
  kMetaParameterCount,
};

struct LaneModel {
  Config config;
  int levels = 3;
  int tensorHidden = 20;
  int globalHidden = 20;
  int offset[kMetaParameterCount];  // in the flat vector; -1 where the architecture has none
  int metaParameters = 0;           // length of the flat vector

  int tensorInputs() const { return config.tensorInputs(); }
};

// Offsets of the meta-parameters in the flat vector, and its length.
LaneModel makeLaneModel(const Config& config, int levels, int tensorHidden, int globalHidden, bool gradientShortcut);

// The tensors of a problem; the same for all problems of a block.
struct LaneProblem {
  const int* lengths;
  int tensors;
  int coordinates;  // Σ lengths
};

// Entries of a block's state.
inline std::size_t laneStateEntries(const LaneModel& m, const LaneProblem& p) {
  const std::size_t n = static_cast<std::size_t>(p.coordinates);
  const std::size_t perCoordinate = static_cast<std::size_t>(m.config.fields()) + (m.config.attention() ? 2 : 1);
  return n * perCoordinate + static_cast<std::size_t>(p.tensors * (m.levels > 1 ? m.tensorHidden : 0)) +
         static_cast<std::size_t>(m.levels > 2 ? m.globalHidden : 0);
}

// One step of one block. `next` may be `state`.
template <class T>
struct LaneStepTask {
  const LaneModel* model;
  LaneProblem problem;
  const T* weights;  // [metaParameters], or [metaParameters][lanes] with one set per lane
  bool weightsPerLane;
  const T* state;
  const T* gradient;  // [coordinates][lanes]
  T* next;
};

// Reverse of the step from `state` with `gradient`: `adjoint` holds the adjoint of the new state and receives that of
// the old one. Gradients are taken at θ, with attention at φ.
template <class T>
struct LaneBackwardTask {
  const LaneModel* model;
  LaneProblem problem;
  const T* weights;  // [metaParameters]
  const T* state;
  const T* gradient;
  T* adjoint;          // in and out, laid out as a state
  T* gradientAdjoint;  // out, [coordinates][lanes]
  T* weightsAdjoint;   // added to, [metaParameters][lanes]
};

}  // namespace lo
