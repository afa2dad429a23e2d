import type { Random } from '../random';
import type { TruncationResult } from './estimator';
import { PesFamily } from './pes';
import type { PesOptions } from './pes';

/**
 * Evolution strategies on truncations (Salimans et al. 2017; the truncated form that persistent evolution strategies are
 * compared with in Vicol et al. 2021, section 3): antithetic pairs as there, but a truncation's perturbations alone count,
 * and both sides of a pair begin it from the same state. The estimate is of the gradient that truncated back-propagation
 * with second derivatives gives, smoothed over σ, and so biased towards short horizons.
 *
 * The state is that of one of the sides, drawn by lot; going on from the unperturbed meta-parameters would take a third
 * trajectory.
 */
export class EsFamily extends PesFamily {
  override run(flat: Float64Array, random: Random, options: PesOptions): TruncationResult {
    this.accumulated.fill(0);
    this.shareStates(random);
    return super.run(flat, random, options);
  }

  private shareStates(random: Random): void {
    const { state, width, blocks } = this.optimizer;
    const { elapsed } = this;
    const blockSize = state.length / blocks;
    for (let pair = 0; pair < this.pairs; pair++) {
      // A new trajectory begins with equal states anyway.
      if (elapsed[pair] === 0) continue;
      const side = random.integer(2);
      const block = Math.floor((2 * pair) / width);
      const first = block * blockSize + ((2 * pair) % width);
      for (let k = first; k < (block + 1) * blockSize; k += width) state[k + 1 - side] = state[k + side];
    }
  }
}
