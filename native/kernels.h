// The two passes over one chunk of one tensor, as function tables: one per instruction set for float, one for double.
#pragma once

#include <cstddef>

#include "compact_state.h"
#include "config.h"
#include "lane_objectives.h"
#include "lanes.h"
#include "level_tasks.h"

namespace lo {

// Coordinates per block of the state layout; one field of one block is one pack.
constexpr std::size_t kBlock = 16;

// What a chunk contributes to its tensor, in double. Sums over inputs and hidden follow in `means`.
struct ChunkSums {
  double directionSquares;
  double attentionSquares;
  double logRate;   // over all coordinates, skipped ones too, after the step
  double advanced;  // number of coordinates with a finite gradient
};

// Pass 1: advances the state of `count` coordinates and writes their raw steps. A raw step of NaN marks a coordinate
// that was skipped because its gradient is not finite.
template <class T>
struct AdvanceTask {
  const Config* config;
  const Cell<T>* cell;
  const T* bias;      // [3·hidden]
  T* blocks;          // [count / 16, rounded up][fields][16]; null where `compact` has the state
  CompactBlocks compact;
  const T* gradient;  // [count]
  T* raw;             // [count]: exp(η_step + o)·d
  T* rawAttention;    // [count]: exp(η_step)·d_a; null without attention
  std::size_t count;
  T meanLogRate;
  T gradientScale;
  double* means;  // out, [hidden + inputs]: sums over the advanced coordinates
  ChunkSums* sums;
};

// Pass 2: θ ← θ − (raw·factor + decay·θ). With attention `position` holds θ and `parameter` receives φ.
template <class T>
struct ApplyTask {
  T* parameter;           // [count]
  T* position;            // [count]; null without attention
  bool positionIsFresh;   // take θ from `parameter` first
  const T* raw;           // [count]
  const T* rawAttention;  // [count]; null without attention
  std::size_t count;
  T factor;
  T attentionFactor;
  T decay;
};

template <class T>
struct Kernels {
  const char* isa;
  void (*advance)(const AdvanceTask<T>&);
  void (*apply)(const ApplyTask<T>&);
  // Problems side by side (lanes.h): lanes of a block, one step, and its reverse.
  int laneWidth;
  void (*laneStep)(const LaneStepTask<T>&);
  void (*laneBackward)(const LaneBackwardTask<T>&);
  void (*laneResiduals)(const LaneResidualTask<T>&);
  void (*laneRegression)(const LaneRegressionTask<T>&);
  // The levels above the parameters.
  void (*levelBiases)(const LevelBiasTask<T>&);
  void (*levelStep)(const LevelStepTask<T>&);
};

// Null where the instruction set is not compiled in.
const Kernels<float>* baselineKernels();
const Kernels<float>* avx2Kernels();
const Kernels<float>* avx512Kernels();
const Kernels<float>* neonKernels();
const Kernels<double>* referenceKernels();

}  // namespace lo
