import { PesFamily } from './pes';

/**
 * Noise-reuse evolution strategies (Li et al. 2023, arXiv 2304.12180): antithetic pairs as in `PesFamily`, but a trajectory
 * keeps its first perturbation through all its truncations. Like the persistent form it is unbiased but for the smoothing
 * (every truncation sees the perturbation's whole effect on the state); its variance does not grow with the number of
 * truncations.
 */
export class NresFamily extends PesFamily {
  protected override readonly keepsPerturbation = true;
}
