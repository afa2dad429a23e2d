/**
 * A meta-trained hierarchical RNN optimizer (Wichrowska et al. 2017, arXiv 1703.04813) for plain typed arrays. For
 * TensorFlow.js see `learned-optimizer/tfjs`, for the problems of meta-training `learned-optimizer/problems`.
 * @packageDocumentation
 */
export { createOptimizer, LearnedOptimizer } from './optimizer/optimizer';
export type { GradientSet, OptimizerCore, ParameterSet } from './optimizer/optimizerCore';
export { DeviceOptimizer } from './optimizer/deviceOptimizer';
export { allocateDeviceArray, DeviceArray } from './optimizer/deviceMemory';
export type { DeviceTensor } from './optimizer/deviceMemory';
export type { CudaDevice, CudaErrorCode, FloatArray, StateBits } from '../bindings/types';
export type { Device, OptimizerOptions, ResolvedOptions } from './optimizer/options';
export type { StepReport } from './optimizer/engine';
export { presets, loadWeights } from './optimizer/presets';
export type { PresetInfo } from './optimizer/presets';
export { createWeights, encodeWeights, saveWeights } from './optimizer/weights';
export type { Weights, WeightsMetadata } from './optimizer/weights';
export type { Annealing, Schedule, Warmup } from './optimizer/schedule';
export { DEFAULT_ARCHITECTURE, metaParameterShapes } from './optimizer/architecture';
export type { Architecture } from './optimizer/architecture';
export { initialWeights } from './optimizer/initialWeights';
export { SafetensorsError } from './safetensors';
export type { SafetensorsErrorCode } from './safetensors';
export { info } from './optimizer/info';
export type { Info } from './optimizer/info';
export type { CudaInfo } from './optimizer/cudaLibrary';
