#include "optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "folded_cell.h"

namespace lo {

namespace {

// Small tensors are bundled until a task is worth handing to another thread.
constexpr std::size_t kTaskCoordinates = 2048;
constexpr std::size_t kTaskChunks = 64;
// Below this many coordinates a step is over before a second thread has woken up.
constexpr std::size_t kParallelFrom = 6144;

std::size_t blocksFor(std::size_t length) { return (length + kBlock - 1) / kBlock; }

// Σ g² over the finite entries, in double.
template <class T>
double finiteSquares(const T* g, std::size_t n) {
  double lanes[8] = {};
  for (std::size_t i = 0; i < n; ++i) {
    const double v = static_cast<double>(g[i]);
    lanes[i % 8] += std::isfinite(v) ? v * v : 0.0;
  }
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

template <class T>
Optimizer<T>::Optimizer(const CellWeights& w, const Kernels<T>* kernels, unsigned threads, bool compactState)
    : config_(w.config),
      kernels_(kernels),
      threads_(threads == 0 ? ThreadPool::usableThreads() : threads),
      pool_(ThreadPool::shared()) {
  const std::vector<double>* parts[] = {&w.gates,           &w.candidate,         &w.updateReadout,
                                        &w.updateShortcut,  &w.attentionReadout,  &w.attentionShortcut,
                                        &w.scaleDecayReadout, &w.inputDecayReadout, &w.rateReadout};
  const T** views[] = {&cell_.gates,           &cell_.candidate,         &cell_.updateReadout,
                       &cell_.updateShortcut,  &cell_.attentionReadout,  &cell_.attentionShortcut,
                       &cell_.scaleDecayReadout, &cell_.inputDecayReadout, &cell_.rateReadout};
  std::size_t total = 0;
  for (const auto* part : parts) total += part->size();
  cellStorage_.reserve(total);
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    *views[i] = cellStorage_.data() + cellStorage_.size();
    for (double v : *parts[i]) cellStorage_.push_back(static_cast<T>(v));
  }
  for (double v : w.initialHidden) initialHidden_.push_back(static_cast<T>(v));
  format_ = {compactState, rangeOfHidden(initialHidden_.data(), initialHidden_.size())};
  cell_.scaleDecayBias = static_cast<T>(w.scaleDecayBias);
  cell_.inputDecayBias = static_cast<T>(w.inputDecayBias);
  cell_.rateBias = static_cast<T>(w.rateBias);
  cell_.rateMomentum = static_cast<T>(w.rateMomentum);
  cell_.stepOffset = static_cast<T>(w.stepOffset);
  cell_.maxLogRate = static_cast<T>(config_.maxLogLearningRate);
  const DynamicShape shape = dynamicShape(config_);
  const std::size_t rows = static_cast<std::size_t>(keptInputs(shape) + config_.hidden);
  const std::size_t columns = static_cast<std::size_t>(config_.hidden);
  foldedStorage_.resize(rows * 3 * columns);
  T* const foldedCandidate = foldedStorage_.data() + rows * 2 * columns;
  foldMatrix(shape, cell_.gates, 2 * config_.hidden, foldedStorage_.data());
  foldMatrix(shape, cell_.candidate, config_.hidden, foldedCandidate);
  cell_.foldedGates = foldedStorage_.data();
  cell_.foldedCandidate = foldedCandidate;
}

template <class T>
std::unique_ptr<typename Optimizer<T>::Tensor> Optimizer<T>::makeTensor(std::size_t length) const {
  auto tensor = std::make_unique<Tensor>();
  tensor->length = length;
  tensor->state = TensorStorage<T>(length, config_, format_);
  if (config_.attention()) tensor->position = AlignedBuffer<T>(length);
  return tensor;
}

template <class T>
int Optimizer<T>::insert(std::unique_ptr<Tensor> tensor) {
  tensors_.push_back(std::move(tensor));
  return static_cast<int>(tensors_.size() - 1);
}

template <class T>
int Optimizer<T>::addTensor(std::size_t length, T logRate) {
  auto tensor = makeTensor(length);
  tensor->state.fill(initialHidden_, nullptr, logRate);
  tensor->logRateSum = tensor->state.logRateSum();
  return insert(std::move(tensor));
}

template <class T>
int Optimizer<T>::addTensor(std::size_t length, const T* logRates) {
  auto tensor = makeTensor(length);
  tensor->state.fill(initialHidden_, logRates, T(0));
  tensor->logRateSum = tensor->state.logRateSum();
  return insert(std::move(tensor));
}

template <class T>
void Optimizer<T>::removeTensor(int handle) {
  tensors_[static_cast<std::size_t>(handle)].reset();
  planned_.clear();
}

template <class T>
bool Optimizer<T>::hasTensor(int handle) const {
  return handle >= 0 && static_cast<std::size_t>(handle) < tensors_.size() &&
         tensors_[static_cast<std::size_t>(handle)] != nullptr;
}

template <class T>
void Optimizer<T>::plan(const int* tensors, std::size_t count) {
  // An empty list is planned every time: `planned_` is empty without a plan, too.
  if (count != 0 && planned_.size() == count && std::equal(planned_.begin(), planned_.end(), tensors)) return;
  planned_.clear();
  chunks_.clear();
  firstChunk_.clear();
  tasks_.clear();
  rawOffset_.clear();
  std::size_t offset = 0;
  plannedCoordinates_ = 0;
  for (std::size_t t = 0; t < count; ++t) {
    const std::size_t length = lengthOf(tensors[t]);
    firstChunk_.push_back(chunks_.size());
    rawOffset_.push_back(offset);
    for (std::size_t begin = 0; begin < length; begin += kChunk) {
      chunks_.push_back({t, begin, std::min(kChunk, length - begin)});
    }
    offset += blocksFor(length) * kBlock;
    plannedCoordinates_ += length;
  }
  firstChunk_.push_back(chunks_.size());
  std::size_t inTask = 0, first = 0;
  for (std::size_t c = 0; c < chunks_.size(); ++c) {
    inTask += chunks_[c].count;
    if (inTask >= kTaskCoordinates || c + 1 - first >= kTaskChunks || c + 1 == chunks_.size()) {
      tasks_.push_back(first);
      first = c + 1;
      inTask = 0;
    }
  }
  tasks_.push_back(chunks_.size());
  if (raw_.size() < offset) raw_ = AlignedBuffer<T>(offset);
  if (config_.attention() && rawAttention_.size() < offset) rawAttention_ = AlignedBuffer<T>(offset);
  const std::size_t width = static_cast<std::size_t>(config_.hidden + config_.inputs());
  chunkMeans_.resize(chunks_.size() * width);
  chunkSums_.resize(chunks_.size());
  chunkNorms_.resize(chunks_.size());
  biases_.resize(count * 3 * static_cast<std::size_t>(config_.hidden));
  meanLogRates_.resize(count);
  rms_.resize(count);
  rmsAttention_.resize(count);
  gradients_.resize(count);
  // Last, so that a failed allocation leaves no half-made plan behind.
  planned_.assign(tensors, tensors + count);
}

template <class T>
template <class F>
void Optimizer<T>::forEachTask(F&& body) {
  struct Context {
    Optimizer* self;
    F* body;
  } context{this, &body};
  const unsigned threads = plannedCoordinates_ < kParallelFrom ? 1 : threads_;
  pool_->run(
      tasks_.size() - 1, threads,
      [](void* p, std::size_t task) {
        Context& c = *static_cast<Context*>(p);
        for (std::size_t i = c.self->tasks_[task]; i < c.self->tasks_[task + 1]; ++i) (*c.body)(i);
      },
      &context);
}

template <class T>
double Optimizer<T>::gradientNorm() {
  forEachTask([this](std::size_t c) {
    const Chunk& chunk = chunks_[c];
    chunkNorms_[c] = finiteSquares(gradients_[chunk.tensor] + chunk.begin, chunk.count);
  });
  double sum = 0;
  for (double s : chunkNorms_) sum += s;
  return std::sqrt(sum);
}

template <class T>
AdvanceReport Optimizer<T>::advance(const AdvanceRequest<T>& request, double* means, double* advanced) {
  plan(request.tensors, request.count);
  std::copy(request.gradients, request.gradients + request.count, gradients_.begin());
  const std::size_t biasWidth = 3 * static_cast<std::size_t>(config_.hidden);
  for (std::size_t i = 0; i < request.count * biasWidth; ++i) biases_[i] = static_cast<T>(request.biases[i]);

  AdvanceReport report{std::numeric_limits<double>::quiet_NaN(), 0};
  double gradientScale = config_.gradientScale;
  if (std::isfinite(request.clipNorm)) {
    report.gradientNorm = gradientNorm();
    if (report.gradientNorm > request.clipNorm) {
      gradientScale *= request.clipNorm / report.gradientNorm;
    }
  }

  double total = 0, coordinates = 0;
  for (int handle : planned_) {
    const Tensor& tensor = *tensors_[static_cast<std::size_t>(handle)];
    total += tensor.logRateSum;
    coordinates += static_cast<double>(tensor.length);
  }
  for (std::size_t t = 0; t < request.count; ++t) {
    const Tensor& tensor = *tensors_[static_cast<std::size_t>(planned_[t])];
    const bool ofTensor = (config_.flags & kTensorLearningRateMean) != 0;
    meanLogRates_[t] =
        static_cast<T>(ofTensor ? tensor.logRateSum / static_cast<double>(tensor.length) : total / coordinates);
  }

  const std::size_t width = static_cast<std::size_t>(config_.hidden + config_.inputs());
  const std::uint32_t seed = roundingSeed(request.iteration);
  forEachTask([&](std::size_t c) {
    const Chunk& chunk = chunks_[c];
    Tensor& tensor = *tensors_[static_cast<std::size_t>(planned_[chunk.tensor])];
    const std::size_t rawBegin = rawOffset_[chunk.tensor] + chunk.begin;
    AdvanceTask<T> task;
    task.config = &config_;
    task.cell = &cell_;
    task.bias = biases_.data() + chunk.tensor * biasWidth;
    task.blocks = tensor.state.blocksFrom(chunk.begin);
    task.compact = tensor.state.compactFrom(chunk.begin, seed);
    task.gradient = gradients_[chunk.tensor] + chunk.begin;
    task.raw = raw_.data() + rawBegin;
    task.rawAttention = config_.attention() ? rawAttention_.data() + rawBegin : nullptr;
    task.count = chunk.count;
    task.meanLogRate = meanLogRates_[chunk.tensor];
    task.gradientScale = static_cast<T>(gradientScale);
    task.means = chunkMeans_.data() + c * width;
    task.sums = &chunkSums_[c];
    kernels_->advance(task);
  });
  reduce(means, advanced, report);
  return report;
}

template <class T>
void Optimizer<T>::reduce(double* means, double* advanced, AdvanceReport& report) {
  const std::size_t width = static_cast<std::size_t>(config_.hidden + config_.inputs());
  for (std::size_t t = 0; t < planned_.size(); ++t) {
    Tensor& tensor = *tensors_[static_cast<std::size_t>(planned_[t])];
    double* mean = means + t * width;
    std::fill(mean, mean + width, 0.0);
    ChunkSums sum{};
    for (std::size_t c = firstChunk_[t]; c < firstChunk_[t + 1]; ++c) {
      for (std::size_t i = 0; i < width; ++i) mean[i] += chunkMeans_[c * width + i];
      sum.directionSquares += chunkSums_[c].directionSquares;
      sum.attentionSquares += chunkSums_[c].attentionSquares;
      sum.logRate += chunkSums_[c].logRate;
      sum.advanced += chunkSums_[c].advanced;
    }
    tensor.logRateSum = sum.logRate;
    advanced[t] = sum.advanced;
    report.skipped += tensor.length - static_cast<std::size_t>(sum.advanced);
    const double n = std::max(1.0, sum.advanced);
    for (std::size_t i = 0; i < width; ++i) mean[i] /= n;
    rms_[t] = std::sqrt(sum.directionSquares / n + 1e-16);
    rmsAttention_[t] = std::sqrt(sum.attentionSquares / n + 1e-16);
  }
}

template <class T>
void Optimizer<T>::apply(T* const* parameters, double multiplier, double weightDecay) {
  forEachTask([&](std::size_t c) {
    const Chunk& chunk = chunks_[c];
    const std::size_t t = chunk.tensor;
    if (parameters[t] == nullptr) return;
    Tensor& tensor = *tensors_[static_cast<std::size_t>(planned_[t])];
    const std::size_t rawBegin = rawOffset_[t] + chunk.begin;
    ApplyTask<T> task;
    task.parameter = parameters[t] + chunk.begin;
    task.position = config_.attention() ? tensor.position.data() + chunk.begin : nullptr;
    task.positionIsFresh = !tensor.hasPosition;
    task.raw = raw_.data() + rawBegin;
    task.rawAttention = config_.attention() ? rawAttention_.data() + rawBegin : nullptr;
    task.count = chunk.count;
    task.factor = static_cast<T>(multiplier / rms_[t]);
    task.attentionFactor = static_cast<T>(multiplier / rmsAttention_[t]);
    task.decay = static_cast<T>(multiplier * weightDecay);
    kernels_->apply(task);
  });
  if (!config_.attention()) return;
  for (std::size_t t = 0; t < planned_.size(); ++t) {
    if (parameters[t] != nullptr) tensors_[static_cast<std::size_t>(planned_[t])]->hasPosition = true;
  }
}

template <class T>
void Optimizer<T>::exportTensor(int handle, const TensorStateView<T>& out) const {
  const Tensor& tensor = *tensors_[static_cast<std::size_t>(handle)];
  tensor.state.read(out);
  if (out.position != nullptr) std::copy_n(tensor.position.data(), tensor.length, out.position);
}

template <class T>
const T* Optimizer<T>::position(int handle) const {
  const Tensor& tensor = *tensors_[static_cast<std::size_t>(handle)];
  return tensor.hasPosition ? tensor.position.data() : nullptr;
}

template <class T>
void Optimizer<T>::importTensor(int handle, const TensorStateView<const T>& in) {
  Tensor& tensor = *tensors_[static_cast<std::size_t>(handle)];
  tensor.state.write(in);
  tensor.logRateSum = tensor.state.logRateSum();
  tensor.hasPosition = in.position != nullptr;
  if (in.position != nullptr) std::copy_n(in.position, tensor.length, tensor.position.data());
}

template <class T>
std::size_t Optimizer<T>::bytes() const {
  std::size_t sum = raw_.bytes() + rawAttention_.bytes();
  for (const auto& tensor : tensors_) {
    if (tensor) sum += tensor->state.bytes() + tensor->position.bytes();
  }
  return sum;
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace lo
