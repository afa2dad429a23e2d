// An optimizer behind the C interface of native/cuda, with its tensors on the device: over the emulation, or on a real one.
#pragma once

#include <string>
#include <vector>

#include "../cuda/weights_view.h"
#include "support.h"

namespace lo::test {

inline void require(lo_cuda_status status) { CHECK_WITH(status == LO_CUDA_OK, std::string(lo_cuda_last_error())); }

class DeviceFloats {
 public:
  explicit DeviceFloats(std::size_t n) : size_(n) {
    void* p = nullptr;
    require(lo_cuda_allocate(n * sizeof(float), &p));
    data_ = static_cast<float*>(p);
  }
  ~DeviceFloats() {
    if (data_ != nullptr) lo_cuda_free(data_);
  }
  DeviceFloats(DeviceFloats&& other) noexcept : data_(other.data_), size_(other.size_) { other.data_ = nullptr; }
  float* data() const { return data_; }
  void set(const std::vector<float>& v) { require(lo_cuda_upload(data_, v.data(), size_ * sizeof(float), nullptr)); }
  std::vector<float> get() const {
    std::vector<float> v(size_);
    require(lo_cuda_download(v.data(), data_, size_ * sizeof(float), nullptr));
    return v;
  }

 private:
  float* data_ = nullptr;
  std::size_t size_;
};

class DeviceRun {
 public:
  // `rates`: η of every coordinate; -6 where it is left out.
  DeviceRun(const CellWeights& cell, const LevelWeights& levels, const std::vector<std::size_t>& sizes, int stateBits = 32,
            const std::vector<std::vector<float>>& rates = {})
      : config(cell.config), lengths(sizes), tensorHidden(levels.tensor.hidden), globalHidden(levels.global.hidden) {
    const lo_cuda_architecture architecture = architectureOf(cell, levels, stateBits);
    const lo_cuda_weights weights = weightsOf(cell, levels);
    require(lo_cuda_create(&architecture, &weights, 0, &optimizer));
    for (const std::size_t n : lengths) {
      const float* const own = rates.empty() ? nullptr : rates[handles.size()].data();
      handles.push_back(-1);
      require(lo_cuda_add_tensor(optimizer, n, own, -6.0f, &handles.back()));
      gradients.emplace_back(n);
      parameters.emplace_back(n);
      parameters.back().set(std::vector<float>(n, 0.0f));
    }
  }
  ~DeviceRun() { lo_cuda_destroy(optimizer); }
  DeviceRun(const DeviceRun&) = delete;

  void step(const std::vector<std::vector<float>>& g, const StepOptions& options) {
    std::vector<const float*> from;
    std::vector<float*> to;
    for (std::size_t t = 0; t < lengths.size(); ++t) {
      gradients[t].set(g[t]);
      from.push_back(gradients[t].data());
      to.push_back(parameters[t].data());
    }
    const lo_cuda_step_request request{handles.size(),   handles.data(),      from.data(),         to.data(),
                                       options.clipNorm, options.multiplier, options.weightDecay, iteration++};
    require(lo_cuda_step(optimizer, &request, stream));
  }
  // The same step with everything on the host; its parameters are then those of the device too.
  lo_cuda_step_report stepHost(const std::vector<std::vector<float>>& g, const StepOptions& options) {
    std::vector<std::vector<float>> own;
    std::vector<const float*> from;
    std::vector<float*> to;
    for (std::size_t t = 0; t < lengths.size(); ++t) {
      own.push_back(parameters[t].get());
      from.push_back(g[t].data());
    }
    for (auto& p : own) to.push_back(p.data());
    const lo_cuda_step_request request{handles.size(),   handles.data(),      from.data(),         to.data(),
                                       options.clipNorm, options.multiplier, options.weightDecay, iteration++};
    lo_cuda_step_report r = {};
    require(lo_cuda_step_host(optimizer, &request, &r));
    for (std::size_t t = 0; t < lengths.size(); ++t) parameters[t].set(own[t]);
    return r;
  }
  lo_cuda_step_report report() {
    lo_cuda_step_report r = {};
    require(lo_cuda_report(optimizer, &r));
    return r;
  }

  State<float> state(std::size_t t) {
    State<float> s;
    const std::size_t n = lengths[t];
    s.hidden.resize(n * static_cast<std::size_t>(config.hidden));
    s.momentum.resize(n * static_cast<std::size_t>(config.timescales));
    s.scale.resize(s.momentum.size());
    s.logRate.resize(n);
    int has = 0;
    require(lo_cuda_has_position(optimizer, handles[t], &has));
    if (has != 0) s.position.resize(n);
    const lo_cuda_state view = viewOf(s, nullptr);
    require(lo_cuda_export_tensor(optimizer, handles[t], &view));
    return s;
  }
  std::vector<float> tensorState(std::size_t t) {
    State<float> s = state(t);
    std::vector<float> level(static_cast<std::size_t>(tensorHidden));
    const lo_cuda_state view = viewOf(s, level.data());
    require(lo_cuda_export_tensor(optimizer, handles[t], &view));
    return level;
  }
  std::vector<float> globalState() {
    std::vector<float> g(static_cast<std::size_t>(globalHidden));
    if (globalHidden > 0) require(lo_cuda_export_global(optimizer, g.data()));
    return g;
  }
  void setState(std::size_t t, State<float> s, std::vector<float> level) {
    const lo_cuda_state view = viewOf(s, level.empty() ? nullptr : level.data());
    require(lo_cuda_import_tensor(optimizer, handles[t], &view));
  }

  // State, parameters and the global state, one after the other.
  std::vector<float> everything() {
    std::vector<float> all = globalState();
    const auto add = [&](const std::vector<float>& v) { all.insert(all.end(), v.begin(), v.end()); };
    for (std::size_t t = 0; t < lengths.size(); ++t) {
      const State<float> s = state(t);
      for (const auto* part : {&s.hidden, &s.momentum, &s.scale, &s.logRate, &s.position}) add(*part);
      add(tensorState(t));
      add(parameters[t].get());
    }
    return all;
  }

  static lo_cuda_state viewOf(State<float>& s, float* level) {
    float* const position = s.position.empty() ? nullptr : s.position.data();
    return {s.hidden.data(), s.momentum.data(), s.scale.data(), s.logRate.data(), position, level};
  }

  Config config;
  std::vector<std::size_t> lengths;
  int tensorHidden, globalHidden;
  lo_cuda_optimizer* optimizer = nullptr;
  std::vector<int> handles;
  std::vector<DeviceFloats> gradients, parameters;
  std::uint64_t iteration = 0;
  void* stream = nullptr;  // of the steps
};

}  // namespace lo::test
