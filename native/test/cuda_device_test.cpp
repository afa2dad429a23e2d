// What only a device shows: streams, what a step allocates, a tensor of more than 2^32 words, and what happens without memory.
#include <cuda_runtime_api.h>

#include <memory>

#include "cuda_compare.h"

namespace lo::test {

namespace {

void checkCuda(cudaError_t error, const char* what) {
  CHECK_WITH(error == cudaSuccess, std::string(what) + ": " + cudaGetErrorString(error));
}

std::size_t freeMemory() {
  std::size_t free = 0, total = 0;
  checkCuda(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return free;
}

class Stream {
 public:
  Stream() { checkCuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  void wait() { checkCuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }
  void* get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

Case usual(const Config& config) {
  Case c{config};
  c.options = {1e-3, 0.5, 0.01};
  c.lengths = {1, 33, 5000, 200000};
  return c;
}

// Device memory that holds one value everywhere, or nothing where there is no room.
class Filled {
 public:
  Filled(std::size_t bytes, int byte) {
    if (cudaMalloc(&data_, bytes) != cudaSuccess) {
      cudaGetLastError();
      data_ = nullptr;
      return;
    }
    checkCuda(cudaMemset(data_, byte, bytes), "cudaMemset");
    checkCuda(cudaDeviceSynchronize(), "cudaMemset");
  }
  ~Filled() { cudaFree(data_); }
  Filled(Filled&& other) noexcept : data_(other.data_) { other.data_ = nullptr; }
  float* data() const { return static_cast<float*>(data_); }

 private:
  void* data_ = nullptr;
};

}  // namespace

TEST("CUDA device: the same bits in the default stream and in another") {
  for (const Config& config : {presetConfig(), makeConfig(10, 4, kPaperInputs | kAttention)}) {
    const Case c = usual(config);
    const CellWeights cell = randomWeights(c.config, 401);
    const LevelWeights levels = levelsFor(c, 402);
    Stream stream;
    DeviceRun one(cell, levels, c.lengths), other(cell, levels, c.lengths);
    other.stream = stream.get();
    Random random(403);
    for (int step = 0; step < 5; ++step) {
      const auto g = gradientsFor(c, random);
      one.step(g, c.options);
      other.step(g, c.options);
      stream.wait();  // the next gradients are copied in the default stream
    }
    CHECK_SAME_BITS(other.everything(), one.everything());
  }
}

TEST("CUDA device: optimizers with other weights run beside one another") {
  const Case c = usual(presetConfig());
  const LevelWeights levels = levelsFor(c, 412);
  Random random(413);
  const auto g = gradientsFor(c, random);
  std::vector<std::vector<float>> results;
  for (const bool together : {false, true}) {
    Stream streams[2];
    std::vector<std::unique_ptr<DeviceRun>> runs;
    std::vector<const float*> from[2];
    std::vector<float*> to[2];
    for (int k = 0; k < 2; ++k) {
      runs.emplace_back(new DeviceRun(randomWeights(c.config, 414 + static_cast<std::uint64_t>(k)), levels, c.lengths));
      for (std::size_t t = 0; t < g.size(); ++t) {
        runs.back()->gradients[t].set(g[t]);
        from[k].push_back(runs.back()->gradients[t].data());
        to[k].push_back(runs.back()->parameters[t].data());
      }
    }
    for (int i = 0; i < 40; ++i) {
      // By turns, or one after the other.
      const std::size_t k = static_cast<std::size_t>(together ? i % 2 : i / 20);
      DeviceRun& run = *runs[k];
      const lo_cuda_step_request request{g.size(), run.handles.data(), from[k].data(), to[k].data(), INFINITY, 1, 0, run.iteration++};
      require(lo_cuda_step(run.optimizer, &request, together ? streams[k].get() : nullptr));
    }
    for (Stream& s : streams) s.wait();
    for (const auto& run : runs) results.push_back(run->everything());
  }
  CHECK_SAME_BITS(results[2], results[0]);
  CHECK_SAME_BITS(results[3], results[1]);
}

TEST("CUDA device: steps of the same tensors allocate nothing, and an optimizer that is gone leaves nothing behind") {
  const Case c = usual(presetConfig());
  const CellWeights cell = randomWeights(c.config, 421);
  const LevelWeights levels = levelsFor(c, 422);
  Random random(423);
  const auto g = gradientsFor(c, random);
  { DeviceRun warm(cell, levels, c.lengths); warm.step(g, c.options); warm.report(); }
  const std::size_t before = freeMemory();
  for (int round = 0; round < 5; ++round) {
    DeviceRun run(cell, levels, c.lengths);
    run.step(g, c.options);
    run.report();
    const std::size_t free = freeMemory();
    const std::uint64_t bytes = lo_cuda_bytes(run.optimizer);
    for (int step = 0; step < 100; ++step) run.step(g, c.options);
    run.report();
    CHECK_EQUAL(freeMemory(), free);
    CHECK_EQUAL(lo_cuda_bytes(run.optimizer), bytes);
  }
  CHECK_EQUAL(freeMemory(), before);
}

// All coordinates begin alike and have the same gradient, so that the last must be as the first.
TEST("CUDA device: a tensor whose state has more than 2^32 words") {
  constexpr std::size_t kLength = 300000001, kEnd = 1000;
  for (const int bits : {32, 16}) {
    const Case c = usual(presetConfig());
    const std::size_t need = kLength * static_cast<std::size_t>(3 * 4 + (bits == 32 ? 60 : 32)) + (std::size_t{1} << 30);
    if (freeMemory() < need) {
      report("skipped with %d bits: needs %.1f GB of free memory", bits, static_cast<double>(need) * 1e-9);
      continue;
    }
    // In 16 bits 8 words for each coordinate: 2.4·10^9, above 2^31.
    DeviceRun run(randomWeights(c.config, 431), levelsFor(c, 432), {}, bits);
    const Filled gradient(kLength * sizeof(float), 0x3c), parameter(kLength * sizeof(float), 0);
    int handle = -1;
    require(lo_cuda_add_tensor(run.optimizer, kLength, nullptr, -6.0f, &handle));
    const float* from = gradient.data();
    float* to = parameter.data();
    for (std::uint64_t i = 0; i < 3; ++i) {
      const lo_cuda_step_request request{1, &handle, &from, &to, 1.0, 1, 0.01, i};
      require(lo_cuda_step(run.optimizer, &request, nullptr));
    }
    CHECK_EQUAL(run.report().skipped, std::uint64_t{0});
    const double norm = std::sqrt(static_cast<double>(kLength)) * static_cast<double>(bitsToFloat(0x3c3c3c3cu));
    CHECK_AT_MOST(std::abs(run.report().gradient_norm / norm - 1), 1e-12, "norm");
    std::vector<float> first(kEnd), last(kEnd);
    require(lo_cuda_download(first.data(), to, kEnd * sizeof(float), nullptr));
    require(lo_cuda_download(last.data(), to + kLength - kEnd, kEnd * sizeof(float), nullptr));
    CHECK(allFinite(first) && first[0] != 0);
    if (bits == 32) {
      CHECK_SAME_BITS(first, std::vector<float>(kEnd, first[0]));
      CHECK_SAME_BITS(last, first);
    } else {
      // Draws differ between coordinates.
      CHECK_AT_MOST(relative(last, first), 0.1, "16 bits");
    }
  }
}

TEST("CUDA device: without memory the call says so, and the optimizer goes on as before") {
  const Case c = usual(presetConfig());
  const CellWeights cell = randomWeights(c.config, 441);
  const LevelWeights levels = levelsFor(c, 442);
  constexpr std::size_t kLarge = 20000000;
  DeviceRun run(cell, levels, c.lengths), undisturbed(cell, levels, c.lengths);
  Random random(443);
  const auto more = [&] {
    const auto g = gradientsFor(c, random);
    run.step(g, c.options);
    undisturbed.step(g, c.options);
    CHECK_SAME_BITS(run.everything(), undisturbed.everything());
  };
  more();
  int handle = -1, another = -1;
  CHECK_EQUAL(lo_cuda_add_tensor(run.optimizer, std::size_t{1} << 42, nullptr, -6, &another), LO_CUDA_OUT_OF_MEMORY);
  report("%s", lo_cuda_last_error());
  more();

  const Filled gradient(kLarge * sizeof(float), 0x3c);
  require(lo_cuda_add_tensor(run.optimizer, kLarge, nullptr, -6, &handle));
  const std::uint64_t bytes = lo_cuda_bytes(run.optimizer);
  {
    std::vector<Filled> taken;
    for (std::size_t piece = std::size_t{64} << 30; piece >= std::size_t{4} << 20; piece /= 2) {
      for (;;) {
        Filled f(piece, 0);
        if (f.data() == nullptr) break;
        taken.push_back(std::move(f));
      }
    }
    CHECK_EQUAL(lo_cuda_add_tensor(run.optimizer, kLarge, nullptr, -6, &another), LO_CUDA_OUT_OF_MEMORY);
    CHECK(std::string(lo_cuda_last_error()).find("out of memory") != std::string::npos);
    report("%s", lo_cuda_last_error());
    // A step that needs a larger table than there is: 80 MB of raw steps.
    const float* from = gradient.data();
    float* to = nullptr;
    const lo_cuda_step_request request{1, &handle, &from, &to, INFINITY, 1, 0, 0};
    CHECK_EQUAL(lo_cuda_step(run.optimizer, &request, nullptr), LO_CUDA_OUT_OF_MEMORY);
    report("%s", lo_cuda_last_error());
    void* memory = nullptr;
    CHECK_EQUAL(lo_cuda_allocate(std::size_t{1} << 45, &memory), LO_CUDA_OUT_OF_MEMORY);
  }
  CHECK(lo_cuda_bytes(run.optimizer) <= bytes);
  more();
  require(lo_cuda_remove_tensor(run.optimizer, handle));
  more();
}

}  // namespace lo::test
