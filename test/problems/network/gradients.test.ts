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

/** Of the central differences; short, because a relu that switches in between spoils them. */
const STEP = 1e-4;

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
      const at = (step: number): { values: Float32Array; loss: number } => {
        start.forEach((value, i) => (parameter[i] = value + (step * direction[i]) / norm));
        return { values: parameter.slice(), loss: problem.lossAndGradient(parameters, batch, scratch) };
      };
      const [plus, minus] = [at(STEP), at(-STEP)];
      parameter.set(start);
      const expected = gradients[t].reduce((sum, g, i) => sum + g * (plus.values[i] - minus.values[i]), 0);
      const scale = 2 * STEP * Math.hypot(...gradients[t]);
      expect(Math.abs(plus.loss - minus.loss - expected), problem.parameters[t].name).toBeLessThan(2e-3 * scale);
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
