import { LANE_LOSS, createNativeLanes, laneRegression, laneResiduals } from '../../bindings/lanes';
import type {
  LaneLayout,
  LaneRegression,
  LaneResiduals,
  LaneStep,
  LaneStepBackward,
  NativeLanes,
} from '../../bindings/lanes';
import type { FloatArray, Precision } from '../../bindings/types';
import { createRandom } from '../../lib/random';
import { withAttention } from './setup';
import type { Mutable } from './setup';

export const LANE_LENGTHS = [3, 2];
const COORDINATES = 5;
const BLOCKS = 2;

/** Well-formed requests of every call about lanes, their arrays fresh. */
export interface LaneRequests {
  step(): Mutable<LaneStep>;
  stepPerLane(): Mutable<LaneStep>;
  stepBackward(): Mutable<LaneStepBackward>;
  stateEntries(): Mutable<LaneLayout>;
  laneResiduals(): Mutable<LaneResiduals>;
  laneRegression(): Mutable<LaneRegression>;
}

export type LaneCall = keyof LaneRequests;

export const LANE_CALLS: readonly LaneCall[] = [
  'step',
  'stepPerLane',
  'stepBackward',
  'stateEntries',
  'laneResiduals',
  'laneRegression',
];

export interface LaneFixture {
  readonly lanes: NativeLanes;
  readonly requests: LaneRequests;
  /** Calls with any request. */
  call(name: LaneCall, request: unknown): unknown;
}

export function makeLaneFixture(precision: Precision): LaneFixture {
  const lanes = createNativeLanes({ architecture: withAttention, precision, threads: 2 });
  const { width, metaParameters: M } = lanes;
  const layout = { lengths: LANE_LENGTHS, blocks: BLOCKS };
  const entries = lanes.stateEntries(layout);
  const random = createRandom(11);
  const zeros = (n: number): FloatArray => (precision === 'float32' ? new Float32Array(n) : new Float64Array(n));
  const draw = (n: number): FloatArray => zeros(n).map(() => 0.4 * random.normal());
  const perLane = (n: number): FloatArray => draw(BLOCKS * n * width);
  const step = (weights: FloatArray): LaneStep => ({
    ...layout,
    weights,
    weightsPerLane: weights.length !== M,
    // Values of λ are not negative.
    state: perLane(entries).map(Math.abs),
    gradient: perLane(COORDINATES),
    next: zeros(BLOCKS * entries * width),
  });
  const [inputs, outputs, sampleCount, rows, columns] = [2, 3, 4, 4, 3];
  const counts = { blocks: BLOCKS, threads: 2 };
  return {
    lanes,
    requests: {
      step: () => step(draw(M)),
      stepPerLane: () => step(perLane(M)),
      stateEntries: () => ({ ...layout }),
      stepBackward() {
        const { weights, state, gradient } = step(draw(M));
        return {
          ...layout,
          weights,
          state,
          gradient,
          adjoint: perLane(entries),
          gradientAdjoint: zeros(BLOCKS * COORDINATES * width),
          weightsAdjoint: zeros(BLOCKS * M * width),
        };
      },
      laneResiduals: () => ({
        ...counts,
        rows,
        columns,
        matrix: perLane(rows * columns),
        target: perLane(rows),
        exponent: zeros(BLOCKS * width).fill(2),
        x: perLane(columns),
        value: zeros(BLOCKS * width),
        gradient: zeros(BLOCKS * columns * width),
      }),
      laneRegression: () => ({
        ...counts,
        inputs,
        outputs,
        sampleCount,
        loss: zeros(BLOCKS * width).fill(LANE_LOSS.brier),
        samples: perLane(sampleCount * inputs),
        targets: zeros(BLOCKS * sampleCount * width).map((_, i) => i % outputs),
        indices: Int32Array.from({ length: BLOCKS * 2 }, (_, i) => i % sampleCount),
        count: 2,
        parameters: perLane(inputs * outputs + outputs),
        value: zeros(BLOCKS * width),
        gradient: zeros(BLOCKS * (inputs * outputs + outputs) * width),
      }),
    },
    call(name, request) {
      switch (name) {
        case 'step':
        case 'stepPerLane':
          return lanes.step(request as LaneStep);
        case 'stepBackward':
          return lanes.stepBackward(request as LaneStepBackward);
        case 'stateEntries':
          return lanes.stateEntries(request as LaneLayout);
        case 'laneResiduals':
          return laneResiduals(request as LaneResiduals);
        case 'laneRegression':
          return laneRegression(request as LaneRegression);
      }
    },
  };
}
