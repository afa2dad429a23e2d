import { describe, expect, it } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/meta/checkpoint';
import type { Checkpoint } from '../../lib/meta/checkpoint';
import type { PartsFactory, PartsResult } from '../../lib/meta/parts';
import { metaTrain } from '../../lib/meta/trainer';
import { MetaWorkers } from '../../lib/meta/workers';
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

  it('keeps in a checkpoint which families an iteration ahead is without, and writes none where it is without all', async () => {
    // Workers on threads, and somebody else who could not compute two families in iteration 2, and none in iteration 4.
    const parts: PartsFactory = (shared) => {
      const workers = new MetaWorkers({ ...shared, threads: 1 });
      const run = async (...args: Parameters<MetaWorkers['run']>): Promise<PartsResult> => {
        const { results } = await workers.run(...args);
        const lost = results.filter(({ index }) => args[1] === 4 || (args[1] === 2 && index < 2));
        return {
          results: results.filter((result) => !lost.includes(result)),
          dropped: lost.map(({ index, name }) => ({ family: index, name, reason: 'no luck' })),
        };
      };
      return {
        run,
        exportState: () => workers.exportState(),
        importState: (...args) => workers.importState(...args),
        close: () => workers.close(),
      };
    };
    let middle: Checkpoint | undefined;
    let none: unknown;
    const run = metaTrain({
      ...{ config: stale, threads: 1, parts },
      onProgress: async ({ iteration, checkpoint }) => {
        if (iteration === 2) middle = decodeCheckpoint(encodeCheckpoint(await checkpoint()));
        if (iteration === 3) none = await checkpoint().catch((error: unknown) => error);
      },
    });
    await expect(run).rejects.toThrow(/iteration 4: .*all were dropped: no luck/);
    expect(none).toMatchObject({ message: expect.stringMatching(/iteration 4: .*all were dropped/) as string });
    const dropped: [iteration: number, families: number[]][] = [];
    await metaTrain({
      ...{ config: stale, threads: 1, resume: middle },
      onProgress: (p) => void dropped.push([p.iteration, p.dropped.map(({ family }) => family)]),
    });
    expect(dropped).toEqual([
      [3, [0, 1]],
      [4, []],
      [5, []],
    ]);
  }, 120_000);
});
