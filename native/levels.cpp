#include "levels.h"

#include <algorithm>
#include <utility>

namespace lo {

namespace {

// Tensors per task, a multiple of every kernel's lanes: some ten microseconds of work.
constexpr std::size_t kTensorsPerTask = 64;
// Below this many tensors the work is over before a second thread has woken up.
constexpr std::size_t kParallelFrom = 192;

GruWeights<double> view(const LevelCellWeights& cell) {
  return {cell.gates.matrix.data(), cell.gates.bias.data(), cell.candidate.matrix.data(), cell.candidate.bias.data(),
          cell.inputs, cell.hidden};
}

template <class T>
std::vector<T> rounded(const std::vector<double>& values) {
  std::vector<T> out;
  for (double v : values) out.push_back(static_cast<T>(v));
  return out;
}

}  // namespace

template <class T>
Levels<T>::Levels(LevelWeights weights, const Kernels<T>* kernels, unsigned threads, int meansWidth)
    : weights_(std::move(weights)),
      kernels_(kernels),
      threads_(threads == 0 ? ThreadPool::usableThreads() : threads),
      pool_(ThreadPool::shared()),
      meansWidth_(static_cast<std::size_t>(meansWidth)),
      global_(rounded<T>(weights_.global.initialHidden)),
      shared_(weights_.cellBias.size()),
      injected_(weights_.levels > 2 ? 3 * weights_.tensor.initialHidden.size() : 0),
      mean_(weights_.tensor.initialHidden.size()) {}

template <class T>
void Levels<T>::add(int handle) {
  const std::size_t at = static_cast<std::size_t>(handle);
  const std::vector<double>& initial = weights_.tensor.initialHidden;
  std::unique_ptr<T[]> state;
  if (!initial.empty()) {
    state = std::make_unique<T[]>(initial.size());
    std::transform(initial.begin(), initial.end(), state.get(), [](double v) { return static_cast<T>(v); });
  }
  if (states_.size() <= at) states_.resize(at + 1);
  states_[at] = std::move(state);
  ++held_;
}

template <class T>
void Levels<T>::remove(int handle) {
  states_[static_cast<std::size_t>(handle)].reset();
  --held_;
}

template <class T>
void Levels<T>::reserve(const int* tensors, std::size_t count) {
  planned_.resize(count);
  biases_.resize(count * weights_.cellBias.size());
  for (std::size_t t = 0; t < count; ++t) planned_[t] = tensorState(tensors[t]);
}

template <class T>
template <class F>
void Levels<T>::forEachGroup(F&& body) {
  struct Context {
    std::size_t count;
    F* body;
  } context{planned_.size(), &body};
  pool_->run(
      (context.count + kTensorsPerTask - 1) / kTensorsPerTask, context.count < kParallelFrom ? 1 : threads_,
      [](void* p, std::size_t task) {
        const Context& c = *static_cast<Context*>(p);
        const std::size_t first = task * kTensorsPerTask;
        (*c.body)(first, std::min(kTensorsPerTask, c.count - first));
      },
      &context);
}

template <class T>
void Levels<T>::addFromGlobal(const AffineWeights& affine, std::vector<double>& target) const {
  const std::size_t width = target.size();
  for (std::size_t o = 0; o < width; ++o) target[o] += affine.bias[o];
  for (std::size_t i = 0; i < global_.size(); ++i) {
    const double v = static_cast<double>(global_[i]);
    const double* row = affine.matrix.data() + i * width;
    for (std::size_t o = 0; o < width; ++o) target[o] += v * row[o];
  }
}

template <class T>
const double* Levels<T>::biases() {
  const std::size_t width = shared_.size();
  std::copy(weights_.cellBias.begin(), weights_.cellBias.end(), shared_.begin());
  if (weights_.levels > 2) addFromGlobal(weights_.globalToParameter, shared_);
  if (weights_.levels == 1) {
    for (std::size_t t = 0; t < planned_.size(); ++t) std::copy_n(shared_.begin(), width, biases_.begin() + t * width);
    return biases_.data();
  }
  const std::vector<double>& bias = weights_.tensorToParameter.bias;
  for (std::size_t o = 0; o < width; ++o) shared_[o] += bias[o];
  forEachGroup([&](std::size_t first, std::size_t count) {
    LevelBiasTask<T> task;
    task.states = planned_.data() + first;
    task.count = count;
    task.hidden = tensorHidden();
    task.matrix = weights_.tensorToParameter.matrix.data();
    task.shared = shared_.data();
    task.width = static_cast<int>(width);
    task.out = biases_.data() + first * width;
    kernels_->levelBiases(task);
  });
  return biases_.data();
}

template <class T>
void Levels<T>::advance(const double* means, const double* advanced) {
  if (weights_.levels == 1) return;
  if (weights_.levels > 2) {
    std::fill(injected_.begin(), injected_.end(), 0.0);
    addFromGlobal(weights_.globalToTensor, injected_);
  }
  forEachGroup([&](std::size_t first, std::size_t count) {
    LevelStepTask<T> task;
    task.cell = view(weights_.tensor);
    task.injected = weights_.levels > 2 ? injected_.data() : nullptr;
    task.inputs = means + first * meansWidth_;
    task.stride = meansWidth_;
    task.advanced = advanced + first;
    task.states = planned_.data() + first;
    task.count = count;
    kernels_->levelStep(task);
  });
  if (weights_.levels > 2) advanceGlobal(advanced);
}

template <class T>
void Levels<T>::advanceGlobal(const double* advanced) {
  std::fill(mean_.begin(), mean_.end(), 0.0);
  double count = 0;
  for (std::size_t t = 0; t < planned_.size(); ++t) {
    if (advanced[t] == 0) continue;
    for (std::size_t j = 0; j < mean_.size(); ++j) mean_[j] += static_cast<double>(planned_[t][j]);
    ++count;
  }
  if (count == 0) return;
  for (double& v : mean_) v /= count;
  T* state = global_.data();
  LevelStepTask<T> task;
  task.cell = view(weights_.global);
  task.injected = nullptr;
  task.inputs = mean_.data();
  task.stride = mean_.size();
  task.advanced = &count;
  task.states = &state;
  task.count = 1;
  kernels_->levelStep(task);
}

template class Levels<float>;
template class Levels<double>;

}  // namespace lo
