/**
 * A problem of your own for meta-training: decay curves are fitted to noisy measurements. It is a family, because every
 * draw gives other measurements; the example checks its gradient, transforms it, and trains an instance.
 */
import { createOptimizer } from 'learned-optimizer';
import {
  asProblem,
  checkDerivatives,
  createRandom,
  defineObjective,
  gradientNoise,
  rescale,
  type Family,
} from 'learned-optimizer/problems';

const TERMS = 3;
const SAMPLES = 200;

const decayCurves: Family = {
  name: 'decay-curves',
  // θ is one flat array: three amplitudes, then three log rates.
  parameters: [
    { name: 'amplitudes', shape: [TERMS] },
    { name: 'logRates', shape: [TERMS] },
  ],
  sample(random) {
    const truth = Array.from({ length: TERMS }, () => ({
      amplitude: random.normal(),
      rate: Math.exp(random.normal()),
    }));
    const time = Float64Array.from({ length: SAMPLES }, () => 5 * random.uniform());
    const measured = time.map(
      (t) =>
        truth.reduce((sum, { amplitude, rate }) => sum + amplitude * Math.exp(-rate * t), 0) + 0.01 * random.normal(),
    );
    /** Visits the samples of the batch (all of them for null) with the residual of each; returns the mean loss. */
    const loss = (
      theta: Float64Array,
      batch: Int32Array | null,
      visit: (t: number, residual: number, count: number) => void = () => {},
    ): number => {
      const count = batch?.length ?? SAMPLES;
      let sum = 0;
      for (let i = 0; i < count; i++) {
        const s = batch === null ? i : batch[i];
        let residual = -measured[s];
        for (let k = 0; k < TERMS; k++) residual += theta[k] * Math.exp(-Math.exp(theta[TERMS + k]) * time[s]);
        sum += residual ** 2 / 2 / count;
        visit(time[s], residual, count);
      }
      return sum;
    };
    return defineObjective({
      name: 'decay-curves',
      parameters: decayCurves.parameters,
      sampleCount: SAMPLES,
      batchSize: 20,
      value: (theta, batch) => loss(theta, batch),
      gradient(theta, out, batch) {
        out.fill(0);
        return loss(theta, batch, (t, residual, count) => {
          for (let k = 0; k < TERMS; k++) {
            const rate = Math.exp(theta[TERMS + k]);
            const decay = Math.exp(-rate * t);
            out[k] += (residual * decay) / count;
            out[TERMS + k] -= (residual * theta[k] * rate * t * decay) / count;
          }
        });
      },
      // No hessianVectorProduct: it is the central difference of the gradient.
    });
  },
};

const objective = decayCurves.sample(createRandom(1));
const { gradientError, productError } = checkDerivatives(objective);
console.log(`gradient error ${gradientError.toExponential(1)}, product error ${productError.toExponential(1)}`);

// Transformations compose: amplitudes ten times larger, log rates ten times smaller, noisy gradients.
const harder = gradientNoise(rescale(objective, [10, 0.1]), 1e-3);
for (const instance of [objective, harder]) {
  const problem = asProblem(instance);
  const parameters = problem.initial(0);
  const gradients = parameters.map((parameter) => new Float32Array(parameter.length));
  const optimizer = createOptimizer(parameters);
  const random = createRandom(2);
  const batch = new Int32Array(problem.batchSize);
  console.log(`${problem.name}: loss at the start ${problem.fullLoss(parameters).toExponential(2)}`);
  for (let step = 0; step < 1000; step++) {
    for (let i = 0; i < batch.length; i++) batch[i] = random.integer(problem.sampleCount);
    problem.lossAndGradient(parameters, batch, gradients);
    optimizer.step(gradients);
  }
  console.log(`${problem.name}: loss after 1000 steps ${problem.fullLoss(parameters).toExponential(2)}`);
}
