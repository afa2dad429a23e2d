#include "device_optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "coordinate_kernels.h"
#include "level_kernels.h"

namespace lo::cuda {

namespace {

constexpr unsigned kPaper = kGradientProducts | kRelativeLogMagnitude | kRelativeLearningRate;

// What uploadWeights puts one after the other into one allocation.
class Packer {
 public:
  template <class T>
  std::size_t add(const double* values, std::size_t count) {
    const std::size_t at = pieces_.add<T>(count);
    bytes_.resize(pieces_.size());
    for (std::size_t i = 0; i < count; ++i) {
      const T v = values == nullptr ? T(0) : static_cast<T>(values[i]);
      std::memcpy(bytes_.data() + at + i * sizeof(T), &v, sizeof(T));
    }
    return at;
  }
  const std::vector<char>& bytes() const { return bytes_; }

 private:
  Pieces pieces_;
  std::vector<char> bytes_;
};

std::size_t z(int n) { return static_cast<std::size_t>(n); }

std::size_t segmentsOf(const StepTables& range) { return range.endSegment - range.firstSegment; }

template <class Kernel>
void load(Kernel kernel) {
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, kernel), "loading a kernel");
}

}  // namespace

DeviceOptimizer::DeviceOptimizer(const lo_cuda_architecture& a, const lo_cuda_weights& w, int device)
    : architecture_(a), device_(device) {
  config_.hidden = a.hidden;
  config_.timescales = a.timescales;
  config_.flags = a.flags;
  config_.maxLogLearningRate = a.max_log_rate;
  config_.gradientScale = a.gradient_scale;
  shape_ = dynamicShape(config_);
  enter();
  check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device), "asking for multiprocessors");
  uploadWeights(w);
  loadKernels();
  for (Staging& s : stagings_) s.read.create();
  stepDone_.create();
}

DeviceOptimizer::~DeviceOptimizer() {
  cudaSetDevice(device_);
  cudaDeviceSynchronize();
}

void DeviceOptimizer::enter() const { check(cudaSetDevice(device_), "choosing the device"); }

void DeviceOptimizer::uploadWeights(const lo_cuda_weights& w) {
  const std::size_t H = z(config_.hidden), S = z(config_.timescales), rows = H + z(config_.inputs());
  const int levels = architecture_.levels;
  const std::size_t th = levels > 1 ? z(architecture_.tensor_hidden) : 0, gh = levels > 2 ? z(architecture_.global_hidden) : 0;
  const struct {
    const double* values;
    std::size_t count;
    const float* Cell<float>::*view;
  } parts[] = {{w.gates, rows * 2 * H, &Cell<float>::gates},
               {w.candidate, rows * H, &Cell<float>::candidate},
               {w.update_readout, H, &Cell<float>::updateReadout},
               {w.update_shortcut, S, &Cell<float>::updateShortcut},
               {w.attention_readout, H, &Cell<float>::attentionReadout},
               {w.attention_shortcut, S, &Cell<float>::attentionShortcut},
               {w.scale_decay_readout, H, &Cell<float>::scaleDecayReadout},
               {w.input_decay_readout, H, &Cell<float>::inputDecayReadout},
               {w.rate_readout, H, &Cell<float>::rateReadout}};
  hostCell_.scaleDecayBias = static_cast<float>(w.scale_decay_bias);
  hostCell_.inputDecayBias = static_cast<float>(w.input_decay_bias);
  hostCell_.rateBias = static_cast<float>(w.rate_bias);
  hostCell_.rateMomentum = static_cast<float>(w.rate_momentum);
  hostCell_.stepOffset = static_cast<float>(w.step_offset);
  hostCell_.maxLogRate = static_cast<float>(config_.maxLogLearningRate);
  deviceCell_ = hostCell_;
  std::size_t total = 0;
  for (const auto& part : parts) total += part.count;
  cellFloats_.reserve(total);
  Packer packer;
  std::vector<std::size_t> offsets;
  for (const auto& part : parts) {
    hostCell_.*part.view = cellFloats_.data() + cellFloats_.size();
    for (std::size_t i = 0; i < part.count; ++i) {
      cellFloats_.push_back(part.values == nullptr ? 0.0f : static_cast<float>(part.values[i]));
    }
    offsets.push_back(packer.add<float>(part.values, part.count));
  }
  initialHidden_.assign(w.initial_hidden, w.initial_hidden + H);
  hiddenRange_ = rangeOfHidden(initialHidden_.data(), H);
  tensorInitial_.assign(w.tensor_initial, w.tensor_initial + th);
  const std::size_t initial = packer.add<float>(w.initial_hidden, H), global = packer.add<float>(w.global_initial, gh);
  const std::size_t cellBias = packer.add<double>(w.cell_bias, 3 * H);

  const std::size_t tensorInputs = th == 0 ? 0 : z(config_.tensorInputs());
  const struct {
    const lo_cuda_affine& from;
    std::size_t inputs, outputs;
  } affines[] = {{w.tensor_gates, tensorInputs + th, 2 * th}, {w.tensor_candidate, tensorInputs + th, th},
                 {w.global_gates, th + gh, 2 * gh},           {w.global_candidate, th + gh, gh},
                 {w.tensor_to_parameter, th, th == 0 ? 0 : 3 * H}, {w.global_to_parameter, gh, gh == 0 ? 0 : 3 * H},
                 {w.global_to_tensor, gh, gh == 0 ? 0 : 3 * th}};
  std::size_t at[7][2];
  for (int i = 0; i < 7; ++i) {
    at[i][0] = packer.add<double>(affines[i].from.matrix, affines[i].inputs * affines[i].outputs);
    at[i][1] = packer.add<double>(affines[i].from.bias, affines[i].outputs);
  }
  const double nothing[] = {NAN, config_.gradientScale, 0};
  const std::size_t results = packer.add<double>(nothing, 3);
  static_assert(sizeof(StepResults) == 3 * sizeof(double), "three words, the last of which is 0 in every type");

  weights_ = DeviceMemory(packer.bytes().size());
  upload(weights_.at(), packer.bytes().data(), packer.bytes().size(), nullptr);
  check(cudaStreamSynchronize(nullptr), "copying the weights");
  for (std::size_t i = 0; i < offsets.size(); ++i) deviceCell_.*parts[i].view = weights_.at<float>(offsets[i]);
  deviceInitialHidden_ = weights_.at<float>(initial);
  results_ = weights_.at<StepResults>(results);
  const auto d = [&](int i, int k) { return weights_.at<double>(at[i][k]); };
  const auto cell = [&](int i, std::size_t inputs, std::size_t hidden) {
    return GruWeights<double>{d(i, 0), d(i, 1), d(i + 1, 0), d(i + 1, 1), static_cast<int>(inputs), static_cast<int>(hidden)};
  };
  levels_ = {levels, 3 * config_.hidden, weights_.at<double>(cellBias), cell(0, tensorInputs, th), cell(2, th, gh),
             {d(4, 0), d(4, 1)}, {d(5, 0), d(5, 1)}, {d(6, 0), d(6, 1)}, weights_.at<float>(global)};
}

// All kernels of a step. The driver would load each when it is first started, which takes memory, and might fail in the middle of
// a step.
void DeviceOptimizer::loadKernels() const {
  const bool compact = architecture_.state_bits == 16;
  withShape([&](const auto& shape) {
    using Shape = std::decay_t<decltype(shape)>;
    compact ? load(&advanceSegments<Shape, CompactState>) : load(&advanceSegments<Shape, FloatState>);
  });
  compact ? load(&rateSegments<CompactState>) : load(&rateSegments<FloatState>);
  config_.attention() ? load(&applySegments<true>) : load(&applySegments<false>);
  load(&segmentNorms);
  load(&finishNorm);
  load(&prepareTensors);
  load(&reduceSpans);
  load(&finishTensors);
  load(&finishStep);
  load(&finishRates);
}

void DeviceOptimizer::plan(const int* tensors, std::size_t count, cudaStream_t stream) {
  if (count != 0 && planned_.size() == count && std::equal(planned_.begin(), planned_.end(), tensors)) return;
  planned_.clear();
  std::vector<Segment> segments;
  std::vector<Span> spans;
  std::vector<TensorMemory> memory(count);
  std::vector<std::size_t> offsets;
  std::size_t raw = 0;
  double coordinates = 0;
  for (std::size_t t = 0; t < count; ++t) {
    const Tensor& own = tensor(tensors[t]);
    const std::uint64_t n = (own.length + kSegment - 1) / kSegment;
    if (segments.size() + n > 0xffffffffu) throw Failure{LO_CUDA_INVALID, "a step has too many coordinates"};
    memory[t] = {own.state, own.position, own.level, own.logRateSum, nullptr, nullptr, own.length,
                 static_cast<std::uint32_t>(spans.size()), static_cast<std::uint32_t>((n + kSpan - 1) / kSpan)};
    for (std::uint64_t s = 0; s < n; ++s) {
      if (s % kSpan == 0) {
        const std::uint64_t in = std::min<std::uint64_t>(kSpan, n - s);
        spans.push_back({static_cast<std::uint32_t>(segments.size()), static_cast<std::uint32_t>(in)});
      }
      segments.push_back({static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(s)});
    }
    offsets.push_back(raw);
    raw += static_cast<std::size_t>(tilesFor(own.length) * kTile);
    coordinates += static_cast<double>(own.length);
  }
  offsets.push_back(raw);
  const std::size_t sums = z(sumsOf(config_.hidden, config_.inputs()));
  Pieces p;
  const std::size_t atSegments = p.add<Segment>(segments.size()), atSpans = p.add<Span>(spans.size());
  const std::size_t atTensors = p.add<TensorMemory>(count), atPointers = p.add<TensorPointers>(count);
  const std::size_t atSums = p.add<float>(segments.size() * sums), atSpanSums = p.add<double>(spans.size() * sums);
  const std::size_t atNorms = p.add<double>(segments.size()), atBiases = p.add<float>(count * 3 * z(config_.hidden));
  const std::size_t atRates = p.add<float>(count), atFactors = p.add<double>(2 * count), atAdvanced = p.add<double>(count);
  const std::size_t atRaw = p.add<float>(raw), atAhead = p.add<float>(config_.attention() ? raw : 0);
  if (arena_.bytes() < p.size()) {
    arena_ = DeviceMemory();
    arena_ = DeviceMemory(p.size());
  }
  for (std::size_t t = 0; t < count; ++t) {
    memory[t].raw = arena_.at<float>(atRaw) + offsets[t];
    memory[t].rawAttention = config_.attention() ? arena_.at<float>(atAhead) + offsets[t] : nullptr;
  }
  for (Staging& s : stagings_) {
    if (s.memory.bytes() >= count * sizeof(TensorPointers)) continue;
    s.read.wait();
    s.memory = PinnedMemory(count * sizeof(TensorPointers));
  }
  upload(arena_.at(atSegments), segments.data(), segments.size() * sizeof(Segment), stream);
  upload(arena_.at(atSpans), spans.data(), spans.size() * sizeof(Span), stream);
  upload(arena_.at(atTensors), memory.data(), count * sizeof(TensorMemory), stream);
  // Copies from pageable memory may read it after they have returned.
  check(cudaStreamSynchronize(stream), "copying the tables of a step");
  tables_ = {arena_.at<Segment>(atSegments), arena_.at<Span>(atSpans), arena_.at<TensorMemory>(atTensors),
             arena_.at<TensorPointers>(atPointers), 0, static_cast<std::uint32_t>(segments.size()),
             static_cast<std::uint32_t>(spans.size()), static_cast<std::uint32_t>(count), coordinates,
             arena_.at<float>(atSums), arena_.at<double>(atSpanSums), arena_.at<double>(atNorms), arena_.at<float>(atBiases),
             arena_.at<float>(atRates), arena_.at<double>(atFactors), arena_.at<double>(atAdvanced)};
  pointers_.clear();
  offsets_ = std::move(offsets);
  ++plans_;
  // Last, so that a failure leaves no half-made plan behind.
  planned_.assign(tensors, tensors + count);
}

void DeviceOptimizer::uploadPointers(const float* const* gradients, float* const* parameters, cudaStream_t stream) {
  std::vector<TensorPointers>& last = pointers_;
  const std::size_t count = planned_.size();
  bool same = last.size() == count;
  for (std::size_t t = 0; t < count; ++t) {
    const std::uint32_t fresh = config_.attention() && !tensor(planned_[t]).hasPosition;
    if (same) {
      same = last[t].gradient == gradients[t] && last[t].parameter == parameters[t] && last[t].positionFresh == fresh;
    }
    if (!same) {
      last.resize(count);
      last[t] = {gradients[t], parameters[t], fresh};
    }
  }
  if (same) return;
  Staging& s = stagings_[nextStaging_];
  nextStaging_ = (nextStaging_ + 1) % kStagings;
  try {
    s.read.wait();
    const std::size_t bytes = last.size() * sizeof(TensorPointers);
    std::memcpy(s.memory.at(), last.data(), bytes);
    upload(const_cast<TensorPointers*>(tables_.pointers), s.memory.at(), bytes, stream);
    s.read.record(stream);
  } catch (...) {
    // The device has those of before, or none: the next step uploads them again.
    last.clear();
    throw;
  }
}

template <class Storage>
void DeviceOptimizer::sumRates(cudaStream_t stream) {
  const int sums = sumsOf(config_.hidden, config_.inputs());
  const auto shape = shape_;
  const StepTables tables = tables_;
  LO_LAUNCH(rateSegments<Storage>, gridFor(rateSegments<Storage>, tables.endSegment), stream, shape, tables);
  LO_LAUNCH(reduceSpans, gridFor(reduceSpans, tables.spanCount), stream, tables, sums);
  LO_LAUNCH(finishRates, (tables.tensorCount + kThreads - 1) / kThreads, stream, tables, sums);
}

template <class Shape, class Storage>
void DeviceOptimizer::launchAdvance(const Shape& shape, const StepTables& range, std::uint32_t seed, cudaStream_t stream) {
  CellMemory<Shape> memory;
  if constexpr (Shape::fixedHidden == 0) {
    memory.pointers = deviceCell_;
  } else {
    fillCell(hostCell_, memory);
  }
  const StepTables tables = range;
  const StepResults* const results = results_;
  const Rounding rounding{hiddenRange_, seed};
  const auto kernel = &advanceSegments<Shape, Storage>;
  LO_LAUNCH(kernel, gridFor(kernel, segmentsOf(tables)), stream, memory, shape, tables, results, rounding);
}

// The architectures that are compiled in are those of the CPU (kernels_float.inl).
template <class Body>
void DeviceOptimizer::withShape(Body&& body) const {
  const unsigned flags = config_.flags & ~static_cast<unsigned>(kTensorLearningRateMean);
  const int H = config_.hidden;
#if !defined(LO_SANITIZED)
  if (config_.timescales == 4) {
    constexpr unsigned preset = kPaper | kAbsoluteLearningRate;
    if (H == 10 && flags == kPaper) return body(StaticShape<10, 4, kPaper>{});
    if (H == 10 && flags == (kPaper | kAttention)) return body(StaticShape<10, 4, kPaper | kAttention>{});
    if (H == 6 && flags == preset) return body(StaticShape<6, 4, preset>{});
    if (H == 6 && flags == (preset | kAlgebraicActivations)) return body(StaticShape<6, 4, preset | kAlgebraicActivations>{});
  }
#else
  static_cast<void>(H);
  static_cast<void>(flags);
#endif
  body(shape_);
}

void DeviceOptimizer::startSums(cudaStream_t stream) {
  const bool known = std::all_of(planned_.begin(), planned_.end(), [this](int h) { return tensor(h).rateKnown; });
  if (known) return;
  architecture_.state_bits == 16 ? sumRates<CompactState>(stream) : sumRates<FloatState>(stream);
}

void DeviceOptimizer::startNorms(const StepTables& range, cudaStream_t stream) {
  const StepTables tables = range;
  LO_LAUNCH(segmentNorms, gridFor(segmentNorms, segmentsOf(tables)), stream, tables);
}

// What gradients are multiplied by, then biases and mean η of every tensor.
void DeviceOptimizer::startPreparation(double clipNorm, cudaStream_t stream) {
  const StepTables tables = tables_;
  const LevelMemory levels = levels_;
  StepResults* const results = results_;
  const double scale = config_.gradientScale;
  const bool clipping = std::isfinite(clipNorm);
  if (clipping) {
    LO_LAUNCH(finishNorm, 1, stream, tables, clipNorm, scale, results);
  } else if (clipped_) {
    // Back to the scale without clipping: that of a norm of 0.
    StepTables none = tables;
    none.endSegment = 0;
    LO_LAUNCH(finishNorm, 1, stream, none, 1.0, scale, results);
  }
  clipped_ = clipping;
  const bool meanOfTensor = (config_.flags & kTensorLearningRateMean) != 0;
  LO_LAUNCH(prepareTensors, gridFor(prepareTensors, tables.tensorCount), stream, levels, tables, meanOfTensor);
}

void DeviceOptimizer::startAdvance(const StepTables& range, std::uint64_t iteration, cudaStream_t stream) {
  const std::uint32_t seed = roundingSeed(iteration);
  withShape([&](const auto& shape) {
    using Shape = std::decay_t<decltype(shape)>;
    architecture_.state_bits == 16 ? launchAdvance<Shape, CompactState>(shape, range, seed, stream)
                                   : launchAdvance<Shape, FloatState>(shape, range, seed, stream);
  });
}

void DeviceOptimizer::startLevels(cudaStream_t stream) {
  const StepTables tables = tables_;
  const LevelMemory levels = levels_;
  StepResults* const results = results_;
  const int sums = sumsOf(config_.hidden, config_.inputs());
  LO_LAUNCH(reduceSpans, gridFor(reduceSpans, tables.spanCount), stream, tables, sums);
  LO_LAUNCH(finishTensors, gridFor(finishTensors, tables.tensorCount), stream, levels, tables, sums);
  LO_LAUNCH(finishStep, 1, stream, levels, tables, results);
}

void DeviceOptimizer::startApply(const StepTables& range, const lo_cuda_step_request& request, cudaStream_t stream) {
  const StepTables tables = range;
  const double multiplier = request.multiplier;
  const float decay = static_cast<float>(request.multiplier * request.weight_decay);
  if (config_.attention()) {
    LO_LAUNCH(applySegments<true>, gridFor(applySegments<true>, segmentsOf(tables)), stream, tables, multiplier, decay);
  } else {
    LO_LAUNCH(applySegments<false>, gridFor(applySegments<false>, segmentsOf(tables)), stream, tables, multiplier, decay);
  }
}

void DeviceOptimizer::endStep(const lo_cuda_step_request& request, cudaStream_t stream) {
  const cudaError_t error = cudaGetLastError();
  // Other kernels of the step may have run: this is not what a step reports that has changed nothing.
  if (error == cudaErrorMemoryAllocation) throw Failure{LO_CUDA_FAILED, "starting a step: the device has no memory for a kernel"};
  check(error, "starting a step");
  stepDone_.record(stream);
  for (std::size_t t = 0; t < request.count; ++t) {
    Tensor& own = tensor(planned_[t]);
    own.rateKnown = true;
    if (config_.attention() && request.parameters[t] != nullptr) own.hasPosition = true;
  }
}

void DeviceOptimizer::step(const lo_cuda_step_request& request, cudaStream_t stream) {
  enter();
  plan(request.tensors, request.count, stream);
  uploadPointers(request.gradients, request.parameters, stream);
  startSums(stream);
  if (std::isfinite(request.clip_norm)) startNorms(tables_, stream);
  startPreparation(request.clip_norm, stream);
  startAdvance(tables_, request.iteration, stream);
  startLevels(stream);
  startApply(tables_, request, stream);
  endStep(request, stream);
}

lo_cuda_step_report DeviceOptimizer::report() {
  waitForSteps();
  StepResults results;
  download(&results, results_, sizeof results, nullptr);
  return {clipped_ ? results.gradientNorm : std::nan(""), results.skipped};
}

}  // namespace lo::cuda
