// The kernels that go over all coordinates of a step, in segments: a block takes one segment after the other, a thread every
// kThreads-th coordinate of it.
#pragma once

#include "block_sums.h"
#include "cell_memory.h"

namespace lo::cuda {

struct SegmentRange {
  std::uint32_t tensor;
  std::uint64_t begin, end;
};

__device__ LO_INLINE SegmentRange rangeOf(const StepTables& step, std::uint32_t segment) {
  const Segment s = step.segments[segment];
  const std::uint64_t begin = static_cast<std::uint64_t>(s.index) * kSegment, length = step.tensors[s.tensor].length;
  return {s.tensor, begin, length - begin < kSegment ? length : begin + kSegment};
}

__device__ LO_INLINE bool isFinite(float x) { return abs_(x) <= 3.402823466e38f; }

// Σ g² of every segment over the finite entries, in double: squares of gradients leave the range of floats.
__global__ void __launch_bounds__(kThreads) segmentNorms(StepTables step) {
  __shared__ double scratch[kThreads];
  for (std::uint32_t segment = step.firstSegment + blockIdx.x; segment < step.endSegment; segment += gridDim.x) {
    const SegmentRange range = rangeOf(step, segment);
    const float* const gradient = step.pointers[range.tensor].gradient;
    double sum = 0;
    for (std::uint64_t i = range.begin + threadIdx.x; i < range.end; i += kThreads) {
      const float g = gradient[i];
      if (isFinite(g)) sum += static_cast<double>(g) * static_cast<double>(g);
    }
    sum = blockSum(sum, scratch);
    if (threadIdx.x == 0) step.segmentNorms[segment] = sum;
  }
}

// What rounds the state of a step, in 16 bits.
struct Rounding {
  float hiddenRange;
  std::uint32_t seed;
};

// Pass 1: the state of every coordinate is read once and written once; raw steps and the sums of every segment are left for
// the tensor level and pass 2. A coordinate whose gradient is not finite keeps its state; its η counts in the mean of η.
template <class Shape, class Storage>
__global__ void __launch_bounds__(kThreads) advanceSegments(const __grid_constant__ CellMemory<Shape> memory, Shape shape,
                                                            StepTables step, const StepResults* results, Rounding rounding) {
  __shared__ float bias[3 * Shape::maxHidden];
  __shared__ float warpSums[kWarps][kRoundedSums];
  const Cell<float> cell = memory.cell();
  const int H = shape.hidden(), I = shape.inputs(), sums = sumsOf(H, I), words = Storage::words(shape);
  const float gradientScale = static_cast<float>(results->gradientScale);
  constexpr int maxSums = sumsOf(Shape::maxHidden, Shape::maxInputs);
  for (std::uint32_t segment = step.firstSegment + blockIdx.x; segment < step.endSegment; segment += gridDim.x) {
    const SegmentRange range = rangeOf(step, segment);
    const TensorMemory& tensor = step.tensors[range.tensor];
    const float* const gradient = step.pointers[range.tensor].gradient;
    const float meanLogRate = step.meanLogRates[range.tensor];
    for (int o = static_cast<int>(threadIdx.x); o < 3 * H; o += static_cast<int>(kThreads)) {
      bias[o] = step.biases[range.tensor * static_cast<std::uint32_t>(3 * H) + static_cast<std::uint32_t>(o)];
    }
    __syncthreads();
    float sum[maxSums];
    LO_UNROLL for (int k = 0; k < maxSums; ++k) sum[k] = 0.0f;
    for (std::uint64_t i = range.begin + threadIdx.x; i < range.end; i += kThreads) {
      std::uint32_t* const at = tensor.state + wordOf(i, words);
      const float g = gradient[i];
      Coordinates<float, Shape> c;
      Storage::load(shape, at, rounding.hiddenRange, c);
      if (isFinite(g)) {
        StepOutputs<float, Shape> out;
        advance(shape, cell, bias, meanLogRate, g * gradientScale, c, out);
        Storage::store(shape, at, rounding.hiddenRange, static_cast<std::uint32_t>(i), rounding.seed, c);
        tensor.raw[i] = exp_(out.logStep + cell.stepOffset) * out.direction;
        LO_UNROLL for (int j = 0; j < H; ++j) sum[j] += c.hidden[j];
        LO_UNROLL for (int k = 0; k < I; ++k) sum[H + k] += out.inputs[k];
        sum[H + I] = fma_(out.direction, out.direction, sum[H + I]);
        if (shape.has(kAttention)) {
          tensor.rawAttention[i] = exp_(out.logStep) * out.attentionDirection;
          sum[H + I + 1] = fma_(out.attentionDirection, out.attentionDirection, sum[H + I + 1]);
        }
        sum[H + I + 3] += 1.0f;
      } else {
        const float mark = bitsToFloat(0x7fc00000u);
        tensor.raw[i] = mark;
        if (shape.has(kAttention)) tensor.rawAttention[i] = mark;
      }
      sum[H + I + 2] += c.logRate;
    }
    blockSums<maxSums>(sum, sums, warpSums, step.partialSums + static_cast<std::size_t>(segment) * static_cast<std::size_t>(sums));
  }
}

// θ after the step, or `skipped` where the raw step marks a skipped coordinate.
__device__ LO_INLINE float stepped(float theta, float raw, float factor, float decay, float skipped) {
  const float next = theta - fma_(raw, factor, decay * theta);
  return raw == raw ? next : skipped;
}

// Pass 2: θ ← θ − (raw·factor + decay·θ). With attention the state holds θ and the parameter receives φ.
template <bool Attention>
__global__ void __launch_bounds__(kThreads) applySegments(StepTables step, double multiplier, float decay) {
  for (std::uint32_t segment = step.firstSegment + blockIdx.x; segment < step.endSegment; segment += gridDim.x) {
    const SegmentRange range = rangeOf(step, segment);
    const TensorMemory& tensor = step.tensors[range.tensor];
    const TensorPointers pointers = step.pointers[range.tensor];
    if (pointers.parameter == nullptr) continue;
    const float factor = static_cast<float>(multiplier * step.factors[2 * range.tensor]);
    const float ahead = static_cast<float>(multiplier * step.factors[2 * range.tensor + 1]);
    const bool fresh = pointers.positionFresh != 0;
    LO_UNROLL for (unsigned k = 0; k < kSegment / kThreads; ++k) {
      const std::uint64_t i = range.begin + k * kThreads + threadIdx.x;
      if (i >= range.end) break;
      if (!Attention) {
        const float theta = pointers.parameter[i];
        pointers.parameter[i] = stepped(theta, tensor.raw[i], factor, decay, theta);
      } else {
        const float phi = pointers.parameter[i];
        const float theta = fresh ? phi : tensor.position[i];
        tensor.position[i] = stepped(theta, tensor.raw[i], factor, decay, theta);
        pointers.parameter[i] = stepped(theta, tensor.rawAttention[i], ahead, decay, phi);
      }
    }
  }
}

// Ση of every segment, formed as advanceSegments forms it, so that a state that was exported and imported goes on with the
// same bits. The segment's other sums are set to 0.
template <class Storage>
__global__ void __launch_bounds__(kThreads) rateSegments(DynamicShape shape, StepTables step) {
  __shared__ float warpSums[kWarps][kRoundedSums];
  const int H = shape.hidden(), I = shape.inputs(), sums = sumsOf(H, I), words = Storage::words(shape);
  for (std::uint32_t segment = step.firstSegment + blockIdx.x; segment < step.endSegment; segment += gridDim.x) {
    const SegmentRange range = rangeOf(step, segment);
    const std::uint32_t* const state = step.tensors[range.tensor].state;
    float sum[kMaxSums];
    for (int k = 0; k < kMaxSums; ++k) sum[k] = 0.0f;
    for (std::uint64_t i = range.begin + threadIdx.x; i < range.end; i += kThreads) {
      sum[H + I + 2] += bitsToFloat(state[wordOf(i, words) + static_cast<std::size_t>(words - 1) * kTile]);
    }
    blockSums<kMaxSums>(sum, sums, warpSums, step.partialSums + static_cast<std::size_t>(segment) * static_cast<std::size_t>(sums));
  }
}

}  // namespace lo::cuda
