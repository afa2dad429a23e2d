// Objectives of the corpus whose arithmetic dominates meta-training, for blocks of problems side by side (lanes.h): value
// and gradient in one pass over the data. Every array of a block is [entries][lanes].
#pragma once

namespace lo {

// s = Σ_r (|a_r·x − b_r| + 1e-6)^p with p of each lane, and ds/dx.
template <class T>
struct LaneResidualTask {
  int rows;
  int columns;
  const T* matrix;    // [rows][columns][lanes]
  const T* target;    // [rows][lanes]
  const T* exponent;  // [lanes]
  const T* x;         // [columns][lanes]
  T* value;           // out, [lanes]
  T* gradient;        // out, [columns][lanes]; null for the value alone
};

enum LaneRegressionLoss : int {
  kSoftmaxCrossEntropy,  // targets are class numbers, [samples][lanes]
  kBrier,                // ½ Σ_c (softmax_c − [c = target])²; targets as above
  kSquaredError,         // ½ Σ_c (z_c − target_c)²; targets [samples][outputs][lanes]
};

// Mean over samples of the loss of z = x·W + b, with parameters [W row-major | b]; and its gradient.
template <class T>
struct LaneRegressionTask {
  int inputs;
  int outputs;
  const T* loss;       // [lanes]: a LaneRegressionLoss of each lane; squared error in all lanes or in none
  const T* samples;    // [samples][inputs][lanes]
  const T* targets;
  const int* indices;  // [count], the samples to use; null: the first `count`
  int count;
  const T* parameters;  // [inputs·outputs + outputs][lanes]
  T* value;             // out, [lanes]
  T* gradient;          // out, [inputs·outputs + outputs][lanes]; null for the value alone
};

constexpr int kMaxRegressionOutputs = 64;

}  // namespace lo
