import { describe, expect, it } from 'vitest';
import { defaultCorpus } from '../../lib/meta/corpus';
import { laneProblem } from '../../lib/problems/lanes/laneProblem';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import type { Problem } from '../../lib/problems/problem';
import { zerosLike } from '../../lib/problems/problem';

const AS_DRAWN = { rescale: 0.7, interpolation: 0.6, saturation: 0.3 };
const families = defaultCorpus().map(({ family }) => family);
const table = new NoiseTable(1, 1 << 16);
const NO_BATCH = new Int32Array(0);

function gradientsOf(problem: Problem, theta: readonly Float32Array[], count: number): Float32Array[][] {
  return Array.from({ length: count }, () => {
    const gradients = zerosLike(problem);
    problem.lossAndGradient(theta, NO_BATCH, gradients);
    return gradients;
  });
}

describe('laneProblem', () => {
  it.each(families.map((family) => [family.name, family] as const))(
    '%s: a seed gives the same member, start and gradients, another seed others',
    (_, family) => {
      const [first, second] = [0, 1].map(() => {
        const problem = laneProblem(family, AS_DRAWN, table);
        // What was done with another member before does not matter.
        gradientsOf(problem, problem.initial(5), 2);
        return problem;
      });
      const starts = [first.initial(3), second.initial(3)];
      expect(starts[0]).toEqual(starts[1]);
      expect(starts[0].map(({ length }) => length)).toEqual(family.lengths);
      expect(gradientsOf(first, starts[0], 3)).toEqual(gradientsOf(second, starts[1], 3));
      expect(first.fullLoss(starts[0])).toBe(second.fullLoss(starts[1]));
      expect(first.initial(4)).not.toEqual(starts[0]);
    },
  );

  it('loss and gradient belong together where there is neither noise nor a minibatch', () => {
    const family = {
      ...families.find(({ name }) => name === 'residuals-3')!,
      noiseProbability: 0,
      sparseProbability: 0,
    };
    const exact = Object.assign(Object.create(families[0]) as typeof family, family);
    const problem = laneProblem(exact, AS_DRAWN, table);
    const theta = problem.initial(2);
    const [gradients] = gradientsOf(problem, theta, 1);
    // Along the gradient of each tensor, by central differences.
    theta.forEach((tensor, t) => {
      const norm2 = gradients[t].reduce((sum, g) => sum + g * g, 0);
      const step = (1e-2 * Math.hypot(...tensor)) / Math.sqrt(norm2);
      const at = (sign: number): number =>
        problem.fullLoss(
          theta.map((values, i) => (i === t ? values.map((v, k) => v + sign * step * gradients[t][k]) : values)),
        );
      expect((at(1) - at(-1)) / (2 * step * norm2)).toBeCloseTo(1, 1);
    });
  });
});
