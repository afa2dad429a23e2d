/**
 * Performance ratios (Dolan & Moré 2002): for every instance, each optimizer's loss over the lowest of all optimizers on that
 * instance; 1 for the best, infinite where it diverged. Where all diverged, all are infinite.
 * @param losses [optimizer][instance], ≥ 0; not finite after a divergence
 * @param floors [instance]; losses below count as this much
 * @returns [optimizer][instance]
 * @throws {RangeError} if the optimizers have not the same number of instances
 */
export function performanceRatios(losses: readonly (readonly number[])[], floors: readonly number[]): number[][] {
  for (const [i, row] of losses.entries()) {
    if (row.length !== floors.length) {
      throw new RangeError(`losses[${i}]: expected ${floors.length} instances, got ${row.length}`);
    }
  }
  const held = losses.map((row) =>
    row.map((loss, i) => (Number.isFinite(loss) ? Math.max(loss, floors[i]) : Infinity)),
  );
  const best = floors.map((_, instance) => Math.min(...held.map((row) => row[instance])));
  return held.map((row) => row.map((loss, i) => (loss === Infinity ? Infinity : loss / best[i])));
}

/** Share of instances whose ratio is at most τ, in [0, 1]; NaN for no instances. */
export function shareWithin(ratios: readonly number[], tau: number): number {
  // Ratios are quotients of rounded numbers: one that is τ but for the last bit counts.
  return ratios.filter((ratio) => ratio <= tau * (1 + 1e-9)).length / ratios.length;
}
