// The step with gradients and parameters on the host: they pass in chunks through pinned buffers, on one stream, while the
// kernels of the chunks that have arrived run on another.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "device_optimizer.h"

namespace lo::cuda {

namespace {

// Cuts the tensors, of which the coordinates lie in a row at `offsets`, into chunks of whole segments.
void cutIntoChunks(const std::vector<std::uint64_t>& lengths, const std::vector<std::size_t>& offsets, HostBuffers& host) {
  host.chunks.clear();
  host.pieces.clear();
  host.slotFloats = 0;
  std::uint32_t segment = 0;
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    const std::size_t length = static_cast<std::size_t>(lengths[t]);
    for (std::size_t begin = 0; begin < length; begin += kSegment, ++segment) {
      const std::size_t count = std::min<std::size_t>(kSegment, length - begin), at = offsets[t] + begin;
      if (host.chunks.empty() || at + count - host.chunks.back().at > kChunkFloats) {
        host.chunks.push_back({segment, segment, host.pieces.size(), host.pieces.size(), at, 0});
      }
      HostChunk& chunk = host.chunks.back();
      if (chunk.endPiece > chunk.firstPiece && host.pieces.back().tensor == t) {
        host.pieces.back().count += count;
      } else {
        host.pieces.push_back({static_cast<std::uint32_t>(t), begin, count, at - chunk.at});
      }
      chunk.endPiece = host.pieces.size();
      chunk.endSegment = segment + 1;
      chunk.floats = at + count - chunk.at;
      host.slotFloats = std::max(host.slotFloats, chunk.floats);
    }
  }
}

StepTables segmentsOf(StepTables tables, const HostChunk& chunk) {
  tables.firstSegment = chunk.firstSegment;
  tables.endSegment = chunk.endSegment;
  return tables;
}

// Copies between the tensors' arrays, of which a null one is left out, and the chunk in a pinned buffer.
template <class Copy>
void forPieces(const HostBuffers& host, const HostChunk& chunk, Copy&& copy) {
  for (std::size_t p = chunk.firstPiece; p < chunk.endPiece; ++p) copy(host.pieces[p]);
}

}  // namespace

// Buffers for the tensors that were planned. Everything that may fail for want of memory is here, before anything changes.
HostBuffers& DeviceOptimizer::hostBuffers(const lo_cuda_step_request& request) {
  if (host_ == nullptr) {
    auto fresh = std::make_unique<HostBuffers>();
    fresh->copies.create();
    fresh->compute.create();
    for (Event& e : fresh->sent) e.create();
    for (Event& e : fresh->arrived) e.create();
    host_ = std::move(fresh);
  }
  HostBuffers& host = *host_;
  plan(request.tensors, request.count, host.compute);
  if (host.plan != plans_) {
    host.plan = 0;
    std::vector<std::uint64_t> lengths;
    for (const int handle : planned_) lengths.push_back(tensor(handle).length);
    cutIntoChunks(lengths, offsets_, host);
    while (host.there.size() < host.chunks.size()) {
      host.there.emplace_back();
      try {
        host.there.back().create();
      } catch (...) {
        host.there.pop_back();
        throw;
      }
    }
    const std::size_t pinned = 2 * HostBuffers::kSlots * host.slotFloats * sizeof(float), device = 2 * offsets_.back() * sizeof(float);
    if (host.pinned.bytes() < pinned) {
      host.pinned = PinnedMemory();
      host.pinned = PinnedMemory(pinned);
    }
    if (host.device.bytes() < device) {
      host.device = DeviceMemory();
      host.device = DeviceMemory(device);
    }
    host.gradients.resize(request.count);
    host.parameters.resize(request.count);
    host.plan = plans_;
  }
  float* const base = host.device.at<float>();
  for (std::size_t t = 0; t < request.count; ++t) {
    host.gradients[t] = base + offsets_[t];
    host.parameters[t] = request.parameters[t] == nullptr ? nullptr : base + offsets_.back() + offsets_[t];
  }
  return host;
}

lo_cuda_step_report DeviceOptimizer::stepHost(const lo_cuda_step_request& request) {
  waitForSteps();
  HostBuffers& host = hostBuffers(request);
  uploadPointers(host.gradients.data(), host.parameters.data(), host.compute);
  try {
    exchangeWithHost(host, request);
  } catch (...) {
    // Nothing may be under way into buffers that the next step uses.
    cudaStreamSynchronize(host.copies);
    cudaStreamSynchronize(host.compute);
    throw;
  }
  return report();
}

void DeviceOptimizer::exchangeWithHost(HostBuffers& host, const lo_cuda_step_request& request) {
  constexpr std::size_t slots = HostBuffers::kSlots;
  float* const gradients = host.device.at<float>();
  float* const parameters = gradients + offsets_.back();
  std::size_t sent = 0;
  const auto send = [&](const HostChunk& chunk, const float* const* from, float* to) -> Event& {
    const std::size_t slot = sent++ % slots;
    host.sent[slot].wait();
    float* const buffer = host.outgoing(slot);
    forPieces(host, chunk, [&](const HostPiece& p) {
      if (from[p.tensor] != nullptr) std::memcpy(buffer + p.at, from[p.tensor] + p.begin, p.count * sizeof(float));
    });
    upload(to + chunk.at, buffer, chunk.floats * sizeof(float), host.copies);
    host.sent[slot].record(host.copies);
    return host.sent[slot];
  };

  // Gradients. With clipping the norm of all comes first; otherwise a chunk's state advances while later chunks are copied.
  const bool clipping = std::isfinite(request.clip_norm);
  startSums(host.compute);
  if (!clipping) startPreparation(request.clip_norm, host.compute);
  for (const HostChunk& chunk : host.chunks) {
    host.compute.waitFor(send(chunk, request.gradients, gradients));
    const StepTables range = segmentsOf(tables_, chunk);
    clipping ? startNorms(range, host.compute) : startAdvance(range, request.iteration, host.compute);
  }
  if (clipping) {
    startPreparation(request.clip_norm, host.compute);
    startAdvance(tables_, request.iteration, host.compute);
  }
  startLevels(host.compute);

  // Parameters, which are copied to the device while the state still advances, and back as soon as they are updated: the bus
  // is busy both ways. The host only waits for what it needs next.
  std::size_t there = 0, started = 0, done = 0;
  const auto start = [&] {
    const HostChunk& chunk = host.chunks[started];
    const std::size_t slot = started % slots;
    host.compute.waitFor(host.there[started]);
    startApply(segmentsOf(tables_, chunk), request, host.compute);
    check(cudaMemcpyAsync(host.incoming(slot), parameters + chunk.at, chunk.floats * sizeof(float), cudaMemcpyDeviceToHost, host.compute),
          "copying from the device");
    host.arrived[slot].record(host.compute);
    ++started;
  };
  const auto take = [&] {
    host.arrived[done % slots].wait();
    const float* const buffer = host.incoming(done % slots);
    forPieces(host, host.chunks[done], [&](const HostPiece& p) {
      float* const to = request.parameters[p.tensor];
      if (to != nullptr) std::memcpy(to + p.begin, buffer + p.at, p.count * sizeof(float));
    });
    ++done;
  };
  const auto proceed = [&](bool toTheEnd) {
    for (;;) {
      if (started < there && started - done < slots) {
        start();
      } else if (done < started && (toTheEnd || host.arrived[done % slots].reached())) {
        take();
      } else {
        return;
      }
    }
  };
  for (const HostChunk& chunk : host.chunks) {
    send(chunk, request.parameters, parameters);
    host.there[there++].record(host.copies);
    proceed(false);
  }
  proceed(true);
  endStep(request, host.compute);
}

}  // namespace lo::cuda
