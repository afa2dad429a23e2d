import { describe, expect, it } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/meta/checkpoint';
import type { Checkpoint } from '../../lib/meta/checkpoint';
import { corpusEntries } from '../../lib/meta/corpus';
import { flatten } from '../../lib/meta/flat';
import { createMetaOptimizer } from '../../lib/meta/metaOptimizers';
import { META_TRAINING_PRESETS } from '../../lib/meta/presets';
import { Shard } from '../../lib/meta/shard';
import { metaTrain } from '../../lib/meta/trainer';
import type { MetaTrainingProgress } from '../../lib/meta/trainer';
import { initialWeights } from '../../lib/optimizer/initialWeights';
import { paperCorpus } from '../../lib/problems/corpus';
import { coordinatesOf } from '../../lib/problems/lanes/family';

const paper = META_TRAINING_PRESETS['paper'];
const { architecture, seed, corpus } = paper;
const [phase] = paper.phases;

/** The smallest family of every group of the corpus, by index. */
function smallestFamilies(): number[] {
  const entries = corpusEntries({ corpus });
  let first = 0;
  return paperCorpus({ networks: corpus === 'paper-with-networks' }).map(({ families }) => {
    const indices = families.map((_, i) => first + i);
    first += families.length;
    const size = (index: number): number => coordinatesOf(entries[index].family);
    return indices.reduce((a, b) => (size(b) < size(a) ? b : a));
  });
}

describe("the paper's setting", () => {
  it('makes meta-updates with a family of every group of its ensemble, truncations as long as they are', () => {
    const families = smallestFamilies();
    expect(families.length).toBeGreaterThan(10);
    const shard = new Shard({ architecture, seed, corpus, phase: 0, kind: phase.estimator.kind, families });
    const start = flatten(initialWeights(architecture, seed));
    const flat = start.slice();
    const metaOptimizer = createMetaOptimizer(phase.metaOptimizer, flat.length);
    for (const iteration of [0, 1]) {
      const results = shard.run(flat, iteration, phase.estimator);
      const gradient = flat.map((_, i) =>
        results.reduce((sum, result) => sum + result.gradient[i] / results.length, 0),
      );
      for (const { name, loss, steps, gradient: own } of results) {
        expect(steps, name).toBeGreaterThanOrEqual(16 * 50);
        expect(Number.isFinite(loss), name).toBe(true);
        expect(own.every(Number.isFinite), name).toBe(true);
        expect(
          own.some((g) => g !== 0),
          name,
        ).toBe(true);
      }
      expect(metaOptimizer.step(flat, gradient, phase.rate, phase.clipNorm)).toBeGreaterThan(0);
    }
    // RMSProp's steps are at most rate/√0.1 long, whatever the gradient.
    const longest = Math.max(...flat.map((w, i) => Math.abs(w - start[i])));
    expect(longest).toBeGreaterThan(0);
    expect(longest).toBeLessThan((2 * phase.rate) / Math.sqrt(0.1));
  }, 120_000);

  it('runs through the trainer and goes on from a checkpoint, on the small corpus with short truncations', async () => {
    const horizon = { truncations: 2, steps: 4, shortest: 3 };
    const estimator = { ...phase.estimator, horizon };
    const config = { ...paper, corpus: 'default' as const, phases: [{ ...phase, iterations: 3, estimator }] };
    const progress: MetaTrainingProgress[] = [];
    let checkpoint: Checkpoint | undefined;
    const onProgress = async (now: MetaTrainingProgress): Promise<void> => {
      progress.push(now);
      if (now.iteration === 1) checkpoint = await now.checkpoint();
    };
    const average = await metaTrain({ config, threads: 2, onProgress });
    // Constant after the warm-up.
    expect(progress.slice(1).map(({ rate }) => rate)).toEqual([phase.rate, phase.rate]);
    expect(progress.every(({ gradientNorm, longestHorizon }) => gradientNorm > 0 && longestHorizon === undefined)).toBe(
      true,
    );
    const resume = decodeCheckpoint(encodeCheckpoint(checkpoint!));
    expect(await metaTrain({ config, resume, threads: 1 })).toEqual(average);
  }, 120_000);
});
