// The tensor and the global recurrent network (paper, section 3.1): their states, their steps, and the biases that they
// inject into the levels below. All in double; the states are stored in T.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "kernels.h"
#include "thread_pool.h"

namespace lo {

// y = x·matrix + bias, row-major [inputs][outputs].
struct AffineWeights {
  std::vector<double> matrix, bias;
};

// A recurrent cell with what it starts from. Rows are [inputs, hidden], gate columns [reset | update].
struct LevelCellWeights {
  int inputs = 0;
  int hidden = 0;
  AffineWeights gates, candidate;
  std::vector<double> initialHidden;
};

// Meta-parameters above the parameter level. What the architecture does not have is empty.
struct LevelWeights {
  int levels = 1;
  std::vector<double> cellBias;  // [3·parameter hidden]
  LevelCellWeights tensor, global;
  AffineWeights tensorToParameter, globalToParameter, globalToTensor;
};

// Not thread-safe: one caller at a time. Handles are those of the parameter level (optimizer.h).
template <class T>
class Levels {
 public:
  // `meansWidth`: entries per tensor of the means that `advance` is given.
  Levels(LevelWeights weights, const Kernels<T>* kernels, unsigned threads, int meansWidth);

  // Entries of the state of a tensor, and of the global state; 0 where the architecture has none.
  int tensorHidden() const { return weights_.tensor.hidden; }
  int globalHidden() const { return weights_.global.hidden; }

  // Puts the tensor `handle` into its initial state.
  void add(int handle);
  void remove(int handle);
  T* tensorState(int handle) { return states_[static_cast<std::size_t>(handle)].get(); }
  T* globalState() { return global_.data(); }

  // Makes room for a step of `count` tensors; `biases` and `advance` allocate nothing.
  void reserve(const int* tensors, std::size_t count);
  // Bias of every reserved tensor's parameter cell from the states before the step: cell bias, plus that of the tensor
  // state, plus that of the global state. [count][3·parameter hidden]
  const double* biases();
  // Advances the tensor states from `means`, [count][meansWidth], then the global state from the mean of the new tensor
  // states. A tensor of which `advanced` is 0 keeps its state and counts in no mean. (The released code feeds the last
  // tensor's state alone to the global network; the paper's text says all.)
  void advance(const double* means, const double* advanced);

  // Bytes of the states.
  std::size_t bytes() const { return held_ * static_cast<std::size_t>(tensorHidden()) * sizeof(T); }

 private:
  template <class F>
  void forEachGroup(F&& body);
  // target[o] = bias[o] + Σ_i global[i]·matrix[i][o], added to what is there.
  void addFromGlobal(const AffineWeights& affine, std::vector<double>& target) const;
  void advanceGlobal(const double* advanced);

  LevelWeights weights_;
  const Kernels<T>* kernels_;
  unsigned threads_;
  std::shared_ptr<ThreadPool> pool_;
  std::size_t meansWidth_;
  std::vector<std::unique_ptr<T[]>> states_;  // by handle; null once removed, and with one level
  std::size_t held_ = 0;
  std::vector<T> global_;

  // The tensors of the step and its intermediate values.
  std::vector<T*> planned_;
  std::vector<double> biases_, shared_, injected_, mean_;
};

extern template class Levels<float>;
extern template class Levels<double>;

}  // namespace lo
