import { describe, expect, it } from 'vitest';
import { loadDigits } from '../../../lib/datasets/digits';
import type { LabelledImages } from '../../../lib/datasets/images';
import { NETWORK_TASKS } from '../../../lib/experiments/tasks/networkTasks';
import { VALIDATION_TASKS } from '../../../lib/experiments/tasks/validationTasks';
import { zerosLike } from '../../../lib/problems/problem';
import { createRandom } from '../../../lib/random';

/** Images of the size of MNIST, a fifth of the pixels not zero. */
function randomImages(): LabelledImages {
  const random = createRandom(4);
  const pixels = Uint8Array.from({ length: 80 * 784 }, () => (random.uniform() < 0.2 ? random.integer(256) : 0));
  const labels = Uint8Array.from({ length: 80 }, () => random.integer(10));
  return { pixels, labels, count: 80, height: 28, width: 28, maximum: 255 };
}

const data = { digits: loadDigits(), mnist: randomImages() };

/**
 * Slope of the loss along a direction by central differences, over steps wide enough for parameters in single precision
 * and extrapolated (Richardson), against the inner product of gradient and direction.
 */
describe.each([...NETWORK_TASKS, ...VALIDATION_TASKS])('task $name', (task) => {
  const problem = task.problem(data);
  const batch = Int32Array.from({ length: 11 }, (_, i) => (i * i * 3) % problem.sampleCount);

  it('has the gradient that finite differences give, tensor by tensor', () => {
    const parameters = problem.initial(1);
    const random = createRandom(5);
    // Biases away from zero, where many relu units have their kink.
    for (const p of parameters) p.forEach((value, i) => (p[i] = value + 0.05 * random.normal()));
    const gradients = zerosLike(problem);
    const scratch = zerosLike(problem);
    problem.lossAndGradient(parameters, batch, gradients);
    parameters.forEach((parameter, t) => {
      const start = parameter.slice();
      const direction = start.map(() => random.normal());
      const norm = Math.hypot(...direction);
      const slope = (step: number): number => {
        const at = (sign: number): number => {
          start.forEach((value, i) => (parameter[i] = value + (sign * step * direction[i]) / norm));
          return problem.lossAndGradient(parameters, batch, scratch);
        };
        return (at(1) - at(-1)) / (2 * step);
      };
      const numeric = (4 * slope(5e-4) - slope(1e-3)) / 3;
      const exact = gradients[t].reduce((sum, g, i) => sum + (g * direction[i]) / norm, 0);
      start.forEach((value, i) => (parameter[i] = value));
      const scale = Math.hypot(...gradients[t]);
      expect(Math.abs(exact - numeric), problem.parameters[t].name).toBeLessThan(1e-5 + 2e-3 * scale);
    });
  });

  it('is the same every time: starts, losses and gradients', () => {
    const again = task.problem(data);
    const [first, second] = [zerosLike(problem), zerosLike(again)];
    expect(again.initial(3)).toEqual(problem.initial(3));
    expect(problem.initial(4)).not.toEqual(problem.initial(3));
    problem.fullLoss(problem.initial(5));
    expect(again.lossAndGradient(again.initial(3), batch, second)).toBe(
      problem.lossAndGradient(problem.initial(3), batch, first),
    );
    expect(second).toEqual(first);
    expect(first.every((gradient) => gradient.some((value) => value !== 0))).toBe(true);
  });
});
