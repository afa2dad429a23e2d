import { createRandom } from '../random';
import { dimensionOf, type Objective } from './objective';
import { PerturbedGradient } from './perturbedGradient';
import type { Problem } from './problem';

/** Streams of a seed: start, and perturbations of the gradients. */
const [START, PERTURBATION] = [0, 2];

/**
 * An objective as a {@link Problem} in single precision, for training loops that work on `Float32Array`s. The start and
 * the noise of the gradients are those of the seed that `initial` was last called with (0 before that).
 */
export function asProblem(objective: Objective): Problem {
  const n = dimensionOf(objective);
  const theta = new Float64Array(n);
  const gradient = new Float64Array(n);
  const seen = new PerturbedGradient(objective);
  let random = createRandom(0, PERTURBATION);
  const read = (parameters: readonly Float32Array[]): void => {
    let from = 0;
    for (const tensor of parameters) {
      theta.set(tensor, from);
      from += tensor.length;
    }
  };
  return {
    name: objective.name,
    parameters: objective.parameters,
    sampleCount: objective.sampleCount,
    batchSize: objective.batchSize,
    initial(seed) {
      random = createRandom(seed, PERTURBATION);
      const start = objective.start(createRandom(seed, START));
      let from = 0;
      return objective.parameters.map(({ shape }) => {
        const size = shape.reduce((product, length) => product * length, 1);
        from += size;
        return Float32Array.from(start.subarray(from - size, from));
      });
    },
    lossAndGradient(parameters, batch, gradients) {
      read(parameters);
      const loss = seen.evaluate(theta, gradient, objective.sampleCount > 0 ? batch : null, random);
      let from = 0;
      for (const tensor of gradients) {
        tensor.set(gradient.subarray(from, from + tensor.length));
        from += tensor.length;
      }
      return loss;
    },
    fullLoss(parameters) {
      read(parameters);
      return objective.value(theta, null);
    },
  };
}
