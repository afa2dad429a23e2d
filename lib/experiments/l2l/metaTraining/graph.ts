import type { Scalar, Tensor2D } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../../tfjs/backend';
import { INPUTS, logAndSign } from '../preprocessing';
import { l2lShapes, l2lTensors, OUTPUT_SCALE } from '../weights';
import type { Trajectory } from './trajectory';

/** Meta-parameters as the graph has them, a flat vector. */
export interface GraphWeights {
  readonly units: number;
  readonly values: Float32Array;
}

interface Layer {
  /** [units][coordinates] */
  readonly cell: Tensor2D;
  readonly hidden: Tensor2D;
}

function matrices(tf: TensorFlow, { units, values }: GraphWeights): Tensor2D[] {
  const shapes = l2lShapes(units);
  return l2lTensors(units, values).map((data, t) => tf.tensor2d(data.slice(), [...shapes[t][1]]));
}

/** One LSTM layer for all coordinates; the input's last row is 1. */
function lstm(tf: TensorFlow, units: number, matrix: Tensor2D, input: Tensor2D, { cell }: Layer): Layer {
  const [gates, candidate] = tf.split(tf.matMul(matrix, input), [3 * units, units], 0);
  const [i, f, o] = tf.split(tf.sigmoid(gates), 3, 0) as Tensor2D[];
  const next = tf.add<Tensor2D>(tf.mul(f, cell), tf.mul(i, tf.tanh(candidate)));
  return { cell: next, hidden: tf.mul(o, tf.tanh(next)) };
}

/**
 * Advances a trajectory by some steps and returns the surrogate objective Σ_t ⟨∇f(θ_t), θ_t − θ_0⟩ over the points θ_1 to
 * θ_steps that were reached, the gradients held constant. Its derivative with respect to the meta-parameters is that of
 * Σ_t f(θ_t) with the second derivatives of f left out (Andrychowicz et al. 2016, section 2.1, the dashed edges of figure 2).
 */
function unroll(
  tf: TensorFlow,
  units: number,
  weights: readonly Tensor2D[],
  trajectory: Trajectory,
  steps: number,
  losses: number[],
): Scalar {
  const n = trajectory.coordinates;
  const { cells, hiddens } = trajectory.state;
  const layers: Layer[] = [0, 1].map((l) => ({
    cell: tf.tensor2d(cells[l], [units, n]),
    hidden: tf.tensor2d(hiddens[l], [units, n]),
  }));
  const ones = tf.tensor2d(new Float32Array(n).fill(1), [1, n]);
  let moved = tf.tensor2d(new Float32Array(n), [1, n]);
  let surrogate: Scalar = tf.scalar(0);
  for (let step = 0; step < steps; step++) {
    const inputs = new Float32Array(INPUTS * n);
    logAndSign(trajectory.gradient(), inputs, n, n);
    const first = tf.concat([tf.tensor2d(inputs, [INPUTS, n]), layers[0].hidden, ones], 0);
    layers[0] = lstm(tf, units, weights[0], first, layers[0]);
    layers[1] = lstm(tf, units, weights[1], tf.concat([layers[0].hidden, layers[1].hidden, ones], 0), layers[1]);
    const update = tf.mul<Tensor2D>(tf.matMul(weights[2], tf.concat([layers[1].hidden, ones], 0)), OUTPUT_SCALE);
    trajectory.move(update.dataSync<'float32'>());
    losses.push(trajectory.loss);
    moved = tf.add(moved, update);
    surrogate = tf.add(surrogate, tf.sum(tf.mul(moved, tf.tensor2d(trajectory.gradient(), [1, n]))));
  }
  trajectory.state = {
    cells: layers.map(({ cell }) => cell.dataSync<'float32'>().slice()),
    hiddens: layers.map(({ hidden }) => hidden.dataSync<'float32'>().slice()),
  };
  return surrogate;
}

/**
 * Advances a trajectory without a meta-gradient.
 * @returns the losses after each step, each on the batch of the next one
 */
export function advance(tf: TensorFlow, weights: GraphWeights, trajectory: Trajectory, steps: number): number[] {
  const losses: number[] = [];
  // Step by step, so that the memory of a step is freed before the next.
  for (let step = 0; step < steps; step++) {
    tf.tidy(() => void unroll(tf, weights.units, matrices(tf, weights), trajectory, 1, losses));
  }
  return losses;
}

export interface SegmentGradient {
  /** After each step, on the batch of the next one. Their sum is the objective. */
  readonly losses: readonly number[];
  /** Of the objective with respect to the meta-parameters, flat. */
  readonly gradient: Float64Array;
}

/** Advances a trajectory by one segment of truncated backpropagation through time, and differentiates it. */
export function segmentGradient(
  tf: TensorFlow,
  weights: GraphWeights,
  trajectory: Trajectory,
  steps: number,
): SegmentGradient {
  const losses: number[] = [];
  const gradient = new Float64Array(weights.values.length);
  tf.tidy(() => {
    const differentiate = tf.grads((...tensors) =>
      unroll(tf, weights.units, tensors as Tensor2D[], trajectory, steps, losses),
    );
    const parts = differentiate(matrices(tf, weights));
    l2lTensors(weights.units, gradient).forEach((view, t) => view.set(parts[t].dataSync()));
  });
  return { losses, gradient };
}
