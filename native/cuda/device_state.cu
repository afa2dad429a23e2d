// Adding and removing tensors, and their state in its canonical form.
#include <algorithm>

#include "device_optimizer.h"
#include "fill_kernel.h"

namespace lo::cuda {

namespace {

// State passes through the host in pieces of this size.
constexpr std::size_t kChunkBytes = std::size_t{8} << 20;

}  // namespace

int DeviceOptimizer::words() const {
  return architecture_.state_bits == 16 ? CompactState::words(shape_) : FloatState::words(shape_);
}

int DeviceOptimizer::add(std::uint64_t length, const float* logRates, float logRate) {
  enter();
  auto t = std::make_unique<Tensor>();
  t->length = length;
  const std::size_t n = static_cast<std::size_t>(length), coordinates = static_cast<std::size_t>(tilesFor(length) * kTile);
  // 64 floats per coordinate at most; what cannot be counted cannot be allocated.
  if (length > (std::uint64_t{1} << 55)) throw Failure{LO_CUDA_OUT_OF_MEMORY, "a tensor of 2^55 coordinates or more"};
  Pieces p;
  const std::size_t state = p.add<std::uint32_t>(coordinates * static_cast<std::size_t>(words()));
  const std::size_t position = p.add<float>(config_.attention() ? n : 0);
  const std::size_t level = p.add<float>(tensorInitial_.size()), sum = p.add<double>(1);
  t->memory = DeviceMemory(p.size());
  t->state = t->memory.at<std::uint32_t>(state);
  t->position = config_.attention() ? t->memory.at<float>(position) : nullptr;
  t->level = t->memory.at<float>(level);
  t->logRateSum = t->memory.at<double>(sum);
  DeviceMemory rates(logRates == nullptr ? 0 : n * sizeof(float));
  if (logRates != nullptr) upload(rates.at(), logRates, n * sizeof(float), nullptr);
  upload(t->level, tensorInitial_.data(), tensorInitial_.size() * sizeof(float), nullptr);
  const auto shape = shape_;
  const float* const initial = deviceInitialHidden_;
  const float* const own = logRates == nullptr ? nullptr : rates.at<float>();
  const float range = hiddenRange_;
  std::uint32_t* const words = t->state;
  const std::size_t blocks = static_cast<std::size_t>((length + kThreads - 1) / kThreads);
  if (architecture_.state_bits == 16) {
    LO_LAUNCH(fillState<CompactState>, gridFor(fillState<CompactState>, blocks), nullptr, shape, initial, own, logRate, range, words, length);
  } else {
    LO_LAUNCH(fillState<FloatState>, gridFor(fillState<FloatState>, blocks), nullptr, shape, initial, own, logRate, range, words, length);
  }
  check(cudaGetLastError(), "filling a tensor's state");
  check(cudaStreamSynchronize(nullptr), "filling a tensor's state");
  tensors_.push_back(std::move(t));
  return static_cast<int>(tensors_.size() - 1);
}

void DeviceOptimizer::remove(int handle) {
  waitForSteps();
  tensors_[static_cast<std::size_t>(handle)].reset();
  planned_.clear();
}

bool DeviceOptimizer::has(int handle) const {
  return handle >= 0 && static_cast<std::size_t>(handle) < tensors_.size() && tensors_[static_cast<std::size_t>(handle)] != nullptr;
}

void DeviceOptimizer::waitForSteps() {
  enter();
  stepDone_.wait();
}

// Calls body(words of the coordinate, its index) for every coordinate, in chunks on the host that are downloaded, or uploaded
// afterwards.
template <class Storage, class Body>
void DeviceOptimizer::forChunks(const Tensor& t, bool write, Body&& body) {
  const std::size_t perTile = static_cast<std::size_t>(words()) * kTile;
  const std::size_t tiles = static_cast<std::size_t>(tilesFor(t.length)), step = std::max<std::size_t>(1, kChunkBytes / (4 * perTile));
  std::vector<std::uint32_t> chunk(std::min(tiles, step) * perTile);
  for (std::size_t first = 0; first < tiles; first += step) {
    const std::size_t here = std::min(step, tiles - first), bytes = here * perTile * sizeof(std::uint32_t);
    std::uint32_t* const at = t.state + first * perTile;
    if (!write) download(chunk.data(), at, bytes, nullptr);
    const std::uint64_t begin = static_cast<std::uint64_t>(first) * kTile, end = std::min<std::uint64_t>(t.length, begin + here * kTile);
    for (std::uint64_t i = begin; i < end; ++i) body(chunk.data() + wordOf(i - begin, words()), static_cast<std::size_t>(i));
    if (write) {
      upload(at, chunk.data(), bytes, nullptr);
      check(cudaStreamSynchronize(nullptr), "importing a tensor");
    }
  }
}

void DeviceOptimizer::exportTensor(int handle, const lo_cuda_state& out) {
  waitForSteps();
  const Tensor& t = tensor(handle);
  const std::size_t H = static_cast<std::size_t>(config_.hidden), S = static_cast<std::size_t>(config_.timescales);
  Coordinates<float, DynamicShape> c = {};
  const auto keep = [&](std::size_t i) {
    std::copy_n(c.hidden, H, out.hidden + i * H);
    std::copy_n(c.momentum, S, out.momentum + i * S);
    std::copy_n(c.scale, S, out.scale + i * S);
    out.log_rate[i] = c.logRate;
  };
  if (architecture_.state_bits == 16) {
    forChunks<CompactState>(t, false, [&](const std::uint32_t* at, std::size_t i) {
      CompactState::load(shape_, at, hiddenRange_, c);
      keep(i);
    });
  } else {
    forChunks<FloatState>(t, false, [&](const std::uint32_t* at, std::size_t i) {
      FloatState::load(shape_, at, hiddenRange_, c);
      keep(i);
    });
  }
  if (out.position != nullptr && t.hasPosition) {
    download(out.position, t.position, static_cast<std::size_t>(t.length) * sizeof(float), nullptr);
  }
  if (out.tensor != nullptr) download(out.tensor, t.level, tensorInitial_.size() * sizeof(float), nullptr);
}

void DeviceOptimizer::exportPosition(int handle, float* out) {
  waitForSteps();
  const Tensor& t = tensor(handle);
  download(out, t.position, static_cast<std::size_t>(t.length) * sizeof(float), nullptr);
}

void DeviceOptimizer::importTensor(int handle, const lo_cuda_state& in) {
  waitForSteps();
  Tensor& t = tensor(handle);
  const std::size_t H = static_cast<std::size_t>(config_.hidden), S = static_cast<std::size_t>(config_.timescales);
  Coordinates<float, DynamicShape> c = {};
  const auto take = [&](std::size_t i) {
    std::copy_n(in.hidden + i * H, H, c.hidden);
    std::copy_n(in.momentum + i * S, S, c.momentum);
    std::copy_n(in.scale + i * S, S, c.scale);
    c.logRate = in.log_rate[i];
  };
  t.rateKnown = false;
  if (architecture_.state_bits == 16) {
    forChunks<CompactState>(t, true, [&](std::uint32_t* at, std::size_t i) {
      take(i);
      CompactState::storeNearest(shape_, at, hiddenRange_, c);
    });
  } else {
    forChunks<FloatState>(t, true, [&](std::uint32_t* at, std::size_t i) {
      take(i);
      FloatState::storeNearest(shape_, at, hiddenRange_, c);
    });
  }
  if (in.position != nullptr) upload(t.position, in.position, static_cast<std::size_t>(t.length) * sizeof(float), nullptr);
  if (in.tensor != nullptr) upload(t.level, in.tensor, tensorInitial_.size() * sizeof(float), nullptr);
  check(cudaStreamSynchronize(nullptr), "importing a tensor");
  t.hasPosition = in.position != nullptr;
}

void DeviceOptimizer::exportGlobal(float* out) {
  waitForSteps();
  download(out, levels_.globalState, static_cast<std::size_t>(levels_.global.hidden) * sizeof(float), nullptr);
}

void DeviceOptimizer::importGlobal(const float* in) {
  waitForSteps();
  upload(levels_.globalState, in, static_cast<std::size_t>(levels_.global.hidden) * sizeof(float), nullptr);
  check(cudaStreamSynchronize(nullptr), "importing the global state");
}

std::uint64_t DeviceOptimizer::bytes() const {
  std::uint64_t sum = weights_.bytes() + arena_.bytes() + (host_ ? host_->device.bytes() : 0);
  for (const auto& t : tensors_) {
    if (t) sum += t->memory.bytes();
  }
  return sum;
}

}  // namespace lo::cuda
