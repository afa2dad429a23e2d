import { describe, expect, it } from 'vitest';
import { createOptimizer } from '../../lib/index';
import { loadDigits } from '../../lib/datasets/digits';
import { featureCount, features } from '../../lib/datasets/images';
import { batchSource } from '../../lib/problems/batches';
import { Mlp } from '../../lib/problems/mlp';
import { zerosLike } from '../../lib/problems/problem';
import { createRandom } from '../../lib/random';
import { normals } from './runs';

/** Full loss before and after training with the default preset on batches drawn with replacement. */
function trainDigits(steps: number): [before: number, after: number] {
  const batchSize = 64;
  const images = loadDigits();
  const problem = new Mlp({
    name: 'digits',
    samples: { features: features(images), featureCount: featureCount(images), labels: images.labels },
    classes: 10,
    hidden: [32],
    activation: 'relu',
    start: 'he',
    batchSize,
  });
  const parameters = problem.initial(1);
  const before = problem.fullLoss(parameters);
  const gradients = zerosLike(problem);
  const draw = batchSource(problem, 'replacement', createRandom(1));
  const batch = new Int32Array(batchSize);
  const optimizer = createOptimizer(parameters);
  for (let step = 0; step < steps; step++) {
    draw(batch);
    problem.lossAndGradient(parameters, batch, gradients);
    optimizer.step(gradients);
  }
  return [before, problem.fullLoss(optimizer.evaluationParameters())];
}

describe('with the default preset and no other option', () => {
  it.each([1, 100, 10_000])(
    'a bowl with curvatures from 1 to 100 times %s gets a million times lower in 400 steps',
    (scale) => {
      const size = 50;
      const curvature = (i: number): number => scale * 100 ** (i / (size - 1));
      const x = normals(size, 1);
      const loss = (): number => x.reduce((sum, value, i) => sum + curvature(i) * value ** 2, 0) / 2;
      const before = loss();
      const optimizer = createOptimizer([x]);
      for (let step = 0; step < 400; step++) optimizer.step([x.map((value, i) => curvature(i) * value)]);
      expect(loss()).toBeLessThan(before / 1e6);
    },
  );

  it('a network of 32 hidden units learns the digits to a training loss below 0.05 in 500 steps, from above 2', () => {
    const [before, after] = trainDigits(500);
    expect(before).toBeGreaterThan(2);
    expect(after).toBeLessThan(0.05);
  });
});
