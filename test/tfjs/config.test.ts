import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../lib/optimizer/options';
import type { OptimizerOptions } from '../../lib/optimizer/options';
import { fromConfig, toConfig } from '../../lib/tfjs/config';
import { resolveTfOptions } from '../../lib/tfjs/options';

/** What a saved model holds of the options: JSON. */
const reloaded = (options: OptimizerOptions): ReturnType<typeof resolveOptions> =>
  resolveOptions(fromConfig(JSON.parse(JSON.stringify(toConfig(resolveOptions(options))))));

describe('the configuration in a saved model', () => {
  it.each<OptimizerOptions>([
    {},
    { preset: 'prototype', initialLearningRate: 0.02, learningRateMultiplier: 0.5, weightDecay: 0.1, threads: 1 },
    { warmupSteps: 0, annealAfter: 500, clipNorm: 2 },
    { warmupSteps: 7, stateBits: 16 },
  ])('gives the same options: %j', (options) => {
    const { annealing, ...rest } = resolveOptions(options);
    const { annealing: reloadedAnnealing, ...reloadedRest } = reloaded(options);
    expect(reloadedRest).toEqual(rest);
    expect(Math.min(annealing.after, Number.MAX_VALUE)).toBe(reloadedAnnealing.after);
  });

  it('does not hold zeroCopy, which not every machine can do', () => {
    expect(toConfig(resolveTfOptions({ zeroCopy: true }))).toEqual(toConfig(resolveOptions({})));
  });

  it('keeps that annealing is turned off', () => {
    expect(reloaded({ annealAfter: Infinity }).annealing.after).toBe(Number.MAX_VALUE);
  });

  it('holds the rate that the optimizer starts with', () => {
    expect(toConfig(resolveOptions({ initialLearningRate: 0.1 }))['initialLearningRate']).toBe(1e-3);
  });
});

describe('the options', () => {
  it('say what is expected of zeroCopy', () => {
    expect(() => resolveTfOptions({ zeroCopy: 'yes' as unknown as boolean })).toThrow(
      /zeroCopy: expected true or false, got string/,
    );
    expect(resolveTfOptions().zeroCopy).toBe(false);
  });

  it('know no others than those of the raw API beside it', () => {
    expect(() => resolveTfOptions({ zerocopy: true } as object)).toThrow(/options.zerocopy: unknown option/);
    expect(() => resolveTfOptions(null as unknown as undefined)).toThrow(/options: expected an object/);
  });
});
