import { describe, expect, it } from 'vitest';
import { AugmentedMembers } from '../../lib/problems/lanes/augmented';
import type { LaneFamily } from '../../lib/problems/lanes/family';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { createRandom } from '../../lib/random';

const WIDTH = 16;
const COORDINATES = 3;

/** v = ½‖θ‖² in every lane. */
function bowls(noiseProbability: number): LaneFamily {
  return {
    name: 'bowls',
    lengths: [COORDINATES],
    horizonFactor: 1,
    sparseProbability: 0,
    noiseProbability,
    create: () => ({
      sample: (_block, _lanes, random) => Float64Array.from({ length: COORDINATES }, () => random.normal()),
      evaluate(theta, value, gradient) {
        gradient?.set(theta);
        value?.forEach((_, lane) => (value[lane] = theta[lane] ** 2));
      },
      running: () => [],
    }),
  };
}

/** Gradients of problems in 8 pairs of lanes, of which pair 0 begins at `first` where that is not finite. */
function gradients(noiseProbability: number, first: number): Float32Array[] {
  const members = new AugmentedMembers(bowls(noiseProbability), 1, WIDTH, new NoiseTable(1, 1 << 12));
  const theta = new Float32Array(COORDINATES * WIDTH);
  const options = { rescale: 0, interpolation: 0, saturation: 0 };
  for (let lane = 0; lane < WIDTH; lane += 2) members.sample(0, [lane, lane + 1], createRandom(lane), options, theta);
  if (!Number.isFinite(first)) for (let i = 0; i < COORDINATES; i++) theta.fill(first, i * WIDTH, i * WIDTH + 2);
  const random = createRandom(7);
  return [0, 1].map(() => {
    const gradient = new Float32Array(theta.length);
    members.gradient(theta, gradient, random);
    return gradient;
  });
}

describe('a problem whose first gradient is not finite', () => {
  it.each([
    ['noisy', 1, NaN],
    ['noisy', 1, Infinity],
    ['not noisy', 0, NaN],
    ['not noisy', 0, Infinity],
  ])('has no effect on the noise of the others: %s, %d, %d', (_, noiseProbability, first) => {
    const [bad, good] = [first, 0].map((start) => gradients(noiseProbability, start));
    bad.forEach((gradient, step) => {
      for (let k = 0; k < gradient.length; k++) {
        if (k % WIDTH < 2) expect(Number.isFinite(gradient[k])).toBe(false);
        else expect(gradient[k]).toBe(good[step][k]);
      }
    });
  });
});
