import type { Row } from '../../bench/training/results';

/** A row of a small network with made-up figures. */
export const row = (values: Partial<Row> = {}): Row => ({
  network: 'tiny-resnetv2',
  size: 32,
  batchSize: 4,
  optimizer: 'learned',
  parameters: 100,
  tensors: 2,
  movedTensors: 2,
  milliseconds: 11,
  millisecondsMad: 1,
  adamMilliseconds: 10,
  adamMillisecondsMad: 1,
  ratio: 1.1,
  ratioMad: 0.01,
  cpuMilliseconds: 22,
  adamCpuMilliseconds: 20,
  cpuRatio: 1.1,
  cpuRatioMad: 0.01,
  rounds: 5,
  firstMilliseconds: 100,
  loss: 2,
  peakGiB: 0.5,
  ...values,
});
