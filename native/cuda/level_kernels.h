// The kernels between the passes: reductions of the segments' sums, and the tensor and the global RNN. Everything above the
// coordinates is in double, as on the CPU (native/levels.h); an output of a network is a thread's.
#pragma once

#include "block_sums.h"
#include "level_memory.h"

namespace lo::cuda {

// bias[o] + Σ_i state[i]·matrix[i][o]
__device__ LO_INLINE double fromState(const DeviceAffine& a, const float* state, int n, int width, int o) {
  double acc = a.bias[o];
  for (int i = 0; i < n; ++i) acc = fma_(static_cast<double>(state[i]), a.matrix[i * width + o], acc);
  return acc;
}

// One block: what gradients are multiplied by, from the norm of all.
__global__ void __launch_bounds__(kThreads) finishNorm(StepTables step, double clipNorm, double gradientScale,
                                                       StepResults* results) {
  __shared__ double scratch[kThreads];
  double sum = 0;
  for (std::uint32_t s = threadIdx.x; s < step.endSegment; s += kThreads) sum += step.segmentNorms[s];
  sum = blockSum(sum, scratch);
  if (threadIdx.x != 0) return;
  const double norm = sqrt(sum);
  results->gradientNorm = norm;
  results->gradientScale = norm > clipNorm ? gradientScale * (clipNorm / norm) : gradientScale;
}

// The bias of every tensor's parameter cell from the states before the step, and the mean η that its coordinates see.
__global__ void __launch_bounds__(kThreads) prepareTensors(LevelMemory levels, StepTables step, bool meanOfTensor) {
  __shared__ double scratch[kThreads];
  double total = 0;
  if (!meanOfTensor) {
    for (std::uint32_t t = threadIdx.x; t < step.tensorCount; t += kThreads) total += *step.tensors[t].logRateSum;
    total = blockSum(total, scratch);
  }
  for (std::uint32_t t = blockIdx.x; t < step.tensorCount; t += gridDim.x) {
    const TensorMemory& tensor = step.tensors[t];
    for (int o = static_cast<int>(threadIdx.x); o < levels.width; o += static_cast<int>(kThreads)) {
      double bias = levels.cellBias[o];
      if (levels.levels > 2) bias += fromState(levels.globalToParameter, levels.globalState, levels.global.hidden, levels.width, o);
      if (levels.levels > 1) bias += fromState(levels.tensorToParameter, tensor.level, levels.tensor.hidden, levels.width, o);
      step.biases[t * static_cast<std::uint32_t>(levels.width) + static_cast<std::uint32_t>(o)] = static_cast<float>(bias);
    }
    if (threadIdx.x == 0) {
      const double mean = meanOfTensor ? *tensor.logRateSum / static_cast<double>(tensor.length) : total / step.coordinates;
      step.meanLogRates[t] = static_cast<float>(mean);
    }
  }
}

// Sums of spans of segments: each warp a quarter of the span, in order.
__global__ void __launch_bounds__(kThreads) reduceSpans(StepTables step, int sums) {
  __shared__ double quarter[kWarps][kRoundedSums];
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::size_t width = static_cast<std::size_t>(sums);
  for (std::uint32_t s = blockIdx.x; s < step.spanCount; s += gridDim.x) {
    const Span span = step.spans[s];
    const std::uint32_t share = (span.count + kWarps - 1) / kWarps, from = warp * share;
    const std::uint32_t to = from + share < span.count ? from + share : span.count;
    for (std::size_t v = lane; v < width; v += 32) {
      double sum = 0;
      for (std::uint32_t k = from; k < to; ++k) sum += static_cast<double>(step.partialSums[(span.firstSegment + k) * width + v]);
      quarter[warp][v] = sum;
    }
    __syncthreads();
    for (std::size_t v = threadIdx.x; v < width; v += kThreads) {
      double sum = 0;
      for (unsigned w = 0; w < kWarps; ++w) sum += quarter[w][v];
      step.spanSums[s * width + v] = sum;
    }
    __syncthreads();
  }
}

__device__ LO_INLINE double sumOfTensor(const StepTables& step, const TensorMemory& tensor, int sums, int v) {
  double sum = 0;
  for (std::uint32_t s = 0; s < tensor.spans; ++s) {
    sum += step.spanSums[static_cast<std::size_t>(tensor.firstSpan + s) * static_cast<std::size_t>(sums) + static_cast<std::size_t>(v)];
  }
  return sum;
}

// Ση of every tensor, after rateSegments and reduceSpans.
__global__ void __launch_bounds__(kThreads) finishRates(StepTables step, int sums) {
  const std::uint32_t t = blockIdx.x * kThreads + threadIdx.x;
  if (t < step.tensorCount) *step.tensors[t].logRateSum = sumOfTensor(step, step.tensors[t], sums, sums - 2);
}

// Room for one evaluation of a cell by a block.
struct CellScratch {
  double in[kMaxCellInputs + kMaxCell];
  double state[kMaxCell];
  double update[kMaxCell];
  double gates[kMaxCell];  // of the reset
};

// Advances `state` from scratch.in[0 … inputs), which a barrier has made visible.
__device__ LO_INLINE void advanceCell(const GruWeights<double>& cell, const double* injected, CellScratch& scratch, float* state) {
  const int n = cell.hidden, I = cell.inputs, first = static_cast<int>(threadIdx.x), by = static_cast<int>(kThreads);
  for (int j = first; j < n; j += by) scratch.in[I + j] = scratch.state[j] = static_cast<double>(state[j]);
  __syncthreads();
  for (int o = first; o < 2 * n; o += by) {
    const double gate = gruGate(cell, scratch.in, injected, o);
    (o < n ? scratch.gates[o] : scratch.update[o - n]) = gate;
  }
  __syncthreads();
  for (int j = first; j < n; j += by) scratch.in[I + j] = scratch.gates[j] * scratch.state[j];
  __syncthreads();
  for (int j = first; j < n; j += by) {
    const double candidate = gruCandidate(cell, scratch.in, injected, j);
    state[j] = static_cast<float>(gruNext(scratch.update[j], candidate, scratch.state[j]));
  }
}

// Per tensor: root mean squares, Ση, and the step of its network from the means of [h', x]. A tensor of which nothing advanced
// keeps its state.
__global__ void __launch_bounds__(kThreads) finishTensors(LevelMemory levels, StepTables step, int sums) {
  __shared__ CellScratch scratch;
  __shared__ double total[kRoundedSums];
  __shared__ double injected[3 * kMaxCell];
  const int first = static_cast<int>(threadIdx.x), by = static_cast<int>(kThreads), n = 3 * levels.tensor.hidden;
  if (levels.levels > 2) {
    for (int o = first; o < n; o += by) injected[o] = fromState(levels.globalToTensor, levels.globalState, levels.global.hidden, n, o);
  }
  for (std::uint32_t t = blockIdx.x; t < step.tensorCount; t += gridDim.x) {
    const TensorMemory& tensor = step.tensors[t];
    for (int v = first; v < sums; v += by) total[v] = sumOfTensor(step, tensor, sums, v);
    __syncthreads();
    const double advanced = total[sums - 1], count = advanced < 1 ? 1 : advanced;
    if (threadIdx.x == 0) {
      *tensor.logRateSum = total[sums - 2];
      step.factors[2 * t] = 1 / sqrt(total[sums - 4] / count + 1e-16);
      step.factors[2 * t + 1] = 1 / sqrt(total[sums - 3] / count + 1e-16);
      step.advanced[t] = advanced;
    }
    if (levels.levels > 1 && advanced != 0) {
      for (int i = first; i < levels.tensor.inputs; i += by) scratch.in[i] = total[i] / count;
      advanceCell(levels.tensor, levels.levels > 2 ? injected : nullptr, scratch, tensor.level);
    }
    __syncthreads();
  }
}

// One block: the number of skipped coordinates, and the step of the global network from the mean of the new tensor states.
__global__ void __launch_bounds__(kThreads) finishStep(LevelMemory levels, StepTables step, StepResults* results) {
  __shared__ CellScratch scratch;
  __shared__ double partial[kThreads];
  double tensors = 0, advanced = 0;
  for (std::uint32_t t = threadIdx.x; t < step.tensorCount; t += kThreads) {
    tensors += step.advanced[t] != 0 ? 1 : 0;
    advanced += step.advanced[t];
  }
  tensors = blockSum(tensors, partial);
  advanced = blockSum(advanced, partial);
  if (threadIdx.x == 0) results->skipped = static_cast<unsigned long long>(step.coordinates - advanced);
  if (levels.levels < 3 || tensors == 0) return;
  // Threads share the tensors in groups of the state's size: each sums one entry of every so-many-th tensor.
  const unsigned n = static_cast<unsigned>(levels.tensor.hidden), groups = n < kThreads ? kThreads / n : 1;
  for (unsigned base = 0; base < n; base += kThreads) {
    const unsigned j = base + threadIdx.x % (n < kThreads ? n : kThreads), group = n < kThreads ? threadIdx.x / n : 0;
    double sum = 0;
    if (group < groups && j < n) {
      for (std::uint32_t t = group; t < step.tensorCount; t += groups) {
        if (step.advanced[t] != 0) sum += static_cast<double>(step.tensors[t].level[j]);
      }
    }
    partial[threadIdx.x] = sum;
    __syncthreads();
    if (group == 0 && j < n) {
      double mean = 0;
      for (unsigned k = 0; k < groups; ++k) mean += partial[k * n + threadIdx.x];
      scratch.in[j] = mean / tensors;
    }
    __syncthreads();
  }
  advanceCell(levels.global, nullptr, scratch, levels.globalState);
}

}  // namespace lo::cuda
