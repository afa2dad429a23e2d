import { describe, expect, it } from 'vitest';
import { randomBatch } from '../../lib/problems/checkDerivatives';
import { paperCorpus } from '../../lib/problems/corpus';
import { tensorsOf } from '../../lib/problems/objective';
import { sizeOf } from '../../lib/problems/problem';
import { createRandom } from '../../lib/random';
import { loadBackend } from '../../lib/tfjs/backend';
import { tensorFormulas } from './tensorFormulas';

const { tf } = await loadBackend('cpu');
const formulaOf = tensorFormulas(tf);

/** Perturbed families have the derivatives of those without; the largest take long in plain JavaScript. */
const families = paperCorpus({ networks: true })
  .flatMap((group) => group.families)
  .filter(({ name, parameters }) => !/-noise-/.test(name) && Math.max(...parameters.map(sizeOf)) < 1000);

/** Worst relative errors expected of single precision. */
const TOLERANCE: Readonly<Record<string, number>> = {
  // Orthogonalisation of nearly dependent columns.
  'matrix-product': 1e-3,
};

describe('autodiff of TensorFlow.js agrees with the corpus', () => {
  it.each(families.map((family) => [family.name, family] as const))('%s', (name, family) => {
    const random = createRandom(21);
    const objective = family.sample(random);
    const theta = objective.start(random).map(Math.fround);
    const gradient = new Float64Array(theta.length);
    const tolerance = TOLERANCE[name.replace(/-\d.*/, '')] ?? 1e-4;
    const batch = randomBatch(objective, random);
    const value = objective.gradient(theta, gradient, batch);
    tf.tidy(() => {
      const inputs = tensorsOf(objective, theta).map((values, t) =>
        tf.tensor(Float32Array.from(values), [...objective.parameters[t].shape]),
      );
      const formula = formulaOf(objective);
      const result = tf.valueAndGrads((...tensors) => formula(tensors, batch))(inputs);
      expect(Math.abs(result.value.dataSync()[0] - value)).toBeLessThan(tolerance * (1e-3 + Math.abs(value)));
      const largest = gradient.reduce((max, g) => Math.max(max, Math.abs(g)), 0);
      expect(largest).toBeGreaterThan(0);
      tensorsOf(objective, gradient).forEach((own, t) => {
        const theirs = result.grads[t].dataSync();
        own.forEach((g, i) => expect(Math.abs(g - theirs[i]) / largest).toBeLessThan(tolerance));
      });
    });
  });
});
