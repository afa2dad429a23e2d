import { alignedFloat32Array } from '../../../bindings/index';
import { createRandom } from '../../random';
import type { Problem } from '../problem';
import { AugmentedMembers, type AugmentationOptions } from './augmented';
import { coordinatesOf, type LaneFamily } from './family';
import type { NoiseTable } from './noise';

/** Streams of a seed: the member with its start, its minibatches and noise, and what evaluations may draw. */
const [MEMBER, GRADIENTS, EVALUATIONS] = [0, 2, 4];

/** The addon's objectives take blocks of so many problems: here the same member in all lanes, of which the first is read. */
const WIDTH = 16;
const LANES = Array.from({ length: WIDTH }, (_, lane) => lane);

/**
 * One member of a family of meta-training as a {@link Problem}, as meta-training shows it to an optimizer: rescaled, with
 * noisy or sparse gradients, as it is drawn. `initial(seed)` draws another member, with its start: parameters belong to
 * the member of the last call (of seed 0 before that). It draws its own minibatches.
 */
export function laneProblem(family: LaneFamily, options: AugmentationOptions, table: NoiseTable): Problem {
  const n = coordinatesOf(family);
  const members = new AugmentedMembers(family, 1, WIDTH, table, { lanesPerMember: 1 });
  /** [coordinates][lanes] */
  const [theta, gradient] = [0, 1].map(() => alignedFloat32Array(n * WIDTH));
  const value = alignedFloat32Array(WIDTH);
  let random = createRandom(0, GRADIENTS);
  const evaluations = createRandom(0, EVALUATIONS);
  const draw = (seed: number): void => {
    random = createRandom(seed, GRADIENTS);
    members.sample(0, LANES, createRandom(seed, MEMBER), options, theta);
  };
  draw(0);
  const objective = (parameters: readonly Float32Array[]): number => {
    let i = 0;
    for (const tensor of parameters) {
      for (const coordinate of tensor) theta.fill(coordinate, i, (i += WIDTH));
    }
    members.objective(theta, value, evaluations);
    return value[0];
  };
  /** The first lane of [coordinates][lanes]. */
  const read = (lanes: Float32Array, tensors: readonly Float32Array[]): void => {
    let i = 0;
    for (const tensor of tensors) {
      for (let k = 0; k < tensor.length; k++, i += WIDTH) tensor[k] = lanes[i];
    }
  };
  return {
    name: family.name,
    parameters: family.lengths.map((length, tensor) => ({ name: `theta${tensor}`, shape: [length] })),
    sampleCount: 0,
    batchSize: 0,
    initial(seed) {
      draw(seed);
      const start = family.lengths.map((length) => new Float32Array(length));
      read(theta, start);
      return start;
    },
    lossAndGradient(parameters, _batch, gradients) {
      // First the loss: the noise of a gradient may depend on it.
      const loss = objective(parameters);
      members.gradient(theta, gradient, random);
      read(gradient, gradients);
      return loss;
    },
    fullLoss: objective,
  };
}
