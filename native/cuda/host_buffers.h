// What a step with gradients and parameters on the host needs besides: buffers, streams, and how the tensors are cut into chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "device_memory.h"

namespace lo::cuda {

// Floats that are copied at once: long enough for the full speed of the bus, short beside what there is to compute. Few in the
// emulation, so that small tests have many chunks.
#if defined(LO_CUDA_EMULATED)
constexpr std::size_t kChunkFloats = 4096;
#else
constexpr std::size_t kChunkFloats = std::size_t{1} << 20;
#endif

// Part of one tensor in a chunk.
struct HostPiece {
  std::uint32_t tensor;  // its place in the step
  std::size_t begin, count;
  std::size_t at;  // in the chunk
};

// Whole segments that follow each other in the step, and where their coordinates lie.
struct HostChunk {
  std::uint32_t firstSegment, endSegment;
  std::size_t firstPiece, endPiece;
  std::size_t at, floats;
};

struct HostBuffers {
  // Chunks under way to the device, and chunks under way from it.
  static constexpr std::size_t kSlots = 4;

  Stream copies, compute;
  Event sent[kSlots], arrived[kSlots];
  std::deque<Event> there;  // the chunk's parameters are on the device; an event keeps its address
  std::uint64_t plan = 0;   // the plan that what follows is made for
  std::vector<HostChunk> chunks;
  std::vector<HostPiece> pieces;
  std::size_t slotFloats = 0;
  PinnedMemory pinned;  // [to the device | from the device][slot][slotFloats]
  DeviceMemory device;  // gradients of all tensors, then parameters
  std::vector<const float*> gradients;
  std::vector<float*> parameters;

  float* outgoing(std::size_t slot) const { return pinned.at<float>() + slot * slotFloats; }
  float* incoming(std::size_t slot) const { return pinned.at<float>() + (kSlots + slot) * slotFloats; }
};

}  // namespace lo::cuda
