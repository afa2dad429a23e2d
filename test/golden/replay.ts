import type { FloatArray, Precision } from '../../bindings/types';
import { Engine } from '../../lib/optimizer/engine';
import type { EngineOptions } from '../../lib/optimizer/engine';
import { goldenWeights } from './files';
import type { Golden, MetaGradient, Trajectory } from './files';

/** Largest deviation of one quantity over a whole trajectory. */
export interface Deviation {
  readonly quantity: string;
  /** max over entries of |ours − golden| / (|golden| + root mean square of golden over the tensor). */
  readonly worst: number;
}

const HYPER = { multiplier: 1, weightDecay: 0, clipNorm: Infinity };

class Deviations {
  private readonly worst = new Map<string, number>();

  /** @param roundoff absolute error that the recording itself has */
  add(quantity: string, ours: ArrayLike<number>, golden: ArrayLike<number>, roundoff: ArrayLike<number> | 0 = 0): void {
    if (ours.length !== golden.length) {
      throw new Error(`${quantity}: ${ours.length} values, golden has ${golden.length}`);
    }
    let squares = 0;
    for (let i = 0; i < golden.length; i++) squares += golden[i] ** 2;
    const rms = Math.sqrt(squares / golden.length);
    let worst = this.worst.get(quantity) ?? 0;
    for (let i = 0; i < golden.length; i++) {
      const error = Math.max(0, Math.abs(ours[i] - golden[i]) - (roundoff === 0 ? 0 : roundoff[i]));
      const relative = error === 0 ? 0 : error / (Math.abs(golden[i]) + rms);
      if (!(relative <= worst)) worst = relative;
    }
    this.worst.set(quantity, worst);
  }

  list(): Deviation[] {
    return [...this.worst].map(([quantity, worst]) => ({ quantity, worst }));
  }
}

/** Displacement from the start: parameters move little, so comparing them alone would hide wrong steps. */
function displacement(now: ArrayLike<number>, start: readonly number[]): Float64Array {
  return Float64Array.from(start, (s, i) => now[i] - s);
}

/** What float32 addition of `steps` updates can lose of a parameter. */
function additionRoundoff(start: readonly number[], steps: number): Float64Array {
  return Float64Array.from(start, (s) => 2 ** -24 * Math.abs(s) * (steps + 1));
}

class Replay {
  readonly engine: Engine;
  readonly parameters: FloatArray[];
  readonly handles: number[];

  constructor(
    data: Trajectory | MetaGradient,
    private readonly precision: Precision,
    options: EngineOptions,
  ) {
    this.engine = new Engine(goldenWeights(data), { precision, threads: 2, ...options });
    this.parameters = data.tensors.map((t) => this.array(t.initial));
    this.handles = data.tensors.map((t) =>
      this.engine.addTensor(t.initial.length, this.array(t.initialLogLearningRate)),
    );
  }

  array(values: ArrayLike<number>): FloatArray {
    return this.precision === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
  }

  step(gradients: readonly ArrayLike<number>[]): void {
    this.engine.step(
      this.handles.map((tensor, i) => ({ tensor, parameter: this.parameters[i], gradient: this.array(gradients[i]) })),
      HYPER,
    );
  }

  /** θ */
  position(i: number): FloatArray {
    return this.engine.position(this.handles[i]) ?? this.parameters[i];
  }
}

function replayTrajectory(data: Trajectory, precision: Precision, options: EngineOptions): Deviation[] {
  const replay = new Replay(data, precision, options);
  const deviations = new Deviations();
  data.steps.forEach((step, s) => {
    replay.step(step.gradients);
    data.tensors.forEach(({ initial }, i) => {
      const roundoff = additionRoundoff(initial, s + 1);
      const moved = displacement(replay.position(i), initial);
      deviations.add('parameters', replay.position(i), step.params[i]);
      deviations.add('displacement', moved, displacement(step.params[i], initial), roundoff);
      if (step.attended !== null) {
        deviations.add('lookahead point', replay.parameters[i], step.attended[i]);
        const ahead = displacement(replay.parameters[i], initial);
        deviations.add('lookahead displacement', ahead, displacement(step.attended[i], initial), roundoff);
      }
      const { cell, tensorHidden } = replay.engine.exportTensor(replay.handles[i]);
      deviations.add('log learning rate', cell.logLearningRate, step.logLearningRate[i]);
      if (step.hidden !== null) deviations.add('hidden', cell.hidden, step.hidden[i]);
      if (step.layer !== null) deviations.add('tensor state', tensorHidden, step.layer[i]);
    });
    if (step.global_.length > 0) deviations.add('global state', replay.engine.globalHidden, step.global_.flat());
  });
  return deviations.list();
}

function replayMetaGradient(data: MetaGradient, precision: Precision, options: EngineOptions): Deviation[] {
  const replay = new Replay(data, precision, options);
  const deviations = new Deviations();
  const residuals = (point: FloatArray, i: number): Float64Array => {
    const { W, y } = data.tensors[i];
    return Float64Array.from(y, (target, row) =>
      Array.from(point).reduce((sum, x, j) => sum + W[row * point.length + j] * x, -target),
    );
  };
  data.params.forEach((step, s) => {
    const gradients = replay.parameters.map((point, i) => {
      const r = residuals(point, i);
      const { W } = data.tensors[i];
      return Float64Array.from(point, (_, j) => r.reduce((sum, v, row) => sum + W[row * point.length + j] * v, 0));
    });
    replay.step(gradients);
    let objective = 0;
    data.tensors.forEach(({ initial }, i) => {
      const position = replay.position(i);
      objective += residuals(position, i).reduce((sum, v) => sum + v * v, 0) / 2;
      deviations.add('parameters', position, step[i]);
      const roundoff = additionRoundoff(initial, s + 1);
      deviations.add('displacement', displacement(position, initial), displacement(step[i], initial), roundoff);
    });
    deviations.add('objective', [objective], [data.objectives[s + 1]]);
  });
  return deviations.list();
}

/** Runs a golden file's trajectory through the optimizer and compares every recorded quantity after every step. */
export function replay(golden: Golden, precision: Precision, options: EngineOptions = {}): Deviation[] {
  return golden.kind === 'trajectory'
    ? replayTrajectory(golden.data, precision, options)
    : replayMetaGradient(golden.data, precision, options);
}
