import { describe, expect, it } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/meta/checkpoint';
import type { Checkpoint } from '../../lib/meta/checkpoint';
import { metaTrain } from '../../lib/meta/trainer';
import { RUN } from './runSetup';

const [, evolution] = RUN.config.phases;
const stale = { ...RUN.config, phases: [{ ...evolution, iterations: 5 }], staleness: 2 };

describe('staleness', () => {
  it('gives the same result with any number of threads, and after a resumption in the middle', async () => {
    let middle: Checkpoint | undefined;
    const whole = await metaTrain({
      config: stale,
      threads: 2,
      onProgress: async ({ iteration, checkpoint }) => {
        if (iteration === 2) middle = decodeCheckpoint(encodeCheckpoint(await checkpoint()));
      },
    });
    expect(middle!.pending!.map(({ iteration, results }) => [iteration, results.length])).toEqual([
      [2, 7],
      [3, 7],
    ]);
    expect(await metaTrain({ config: stale, resume: middle, threads: 1 })).toEqual(whole);
  }, 120_000);
});
