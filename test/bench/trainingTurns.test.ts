import { describe, expect, it } from 'vitest';
import { rowOf } from '../../bench/training/results';
import { takeTurns } from '../../bench/training/turns';

/** Contestants whose steps take the given milliseconds of a clock that stands still in between. */
function stub(times: Readonly<Record<string, readonly number[]>>, loss = (_step: number): number => 1) {
  let clock = 0;
  const order: string[] = [];
  const contestants = Object.entries(times).map(([name, milliseconds]) => {
    let step = 0;
    return {
      name,
      step: async (): Promise<number> => {
        order.push(name);
        clock += milliseconds[step++];
        return loss(step);
      },
    };
  });
  // Two threads that are always busy.
  return { contestants, order, now: () => clock, cpu: () => 2 * clock };
}

const FACTS = { parameters: 10, tensors: 2, movedTensors: 2, peakGiB: 1 };
const SETTING = { network: 'tiny-resnetv2', size: 32, batchSize: 4 };

describe('turns of a training step', () => {
  it('alternate between the contestants', async () => {
    const { contestants, order, now } = stub({ learned: [9, 2, 2], adam: [9, 1, 1] });
    await takeTurns(contestants, { rounds: 2, warmUp: 1, now });
    expect(order).toEqual(['learned', 'adam', 'learned', 'adam', 'learned', 'adam']);
  });

  it('leave the first steps out of the rounds, and keep the first one by itself', async () => {
    const { contestants, now, cpu } = stub({ learned: [900, 50, 3, 4], adam: [80, 40, 2, 1] });
    const timings = await takeTurns(contestants, { rounds: 2, warmUp: 2, now, cpu });
    expect(timings).toMatchObject([
      { name: 'learned', rounds: [3, 4], cpuRounds: [6, 8], firstMilliseconds: 900 },
      { name: 'adam', rounds: [2, 1], cpuRounds: [4, 2], firstMilliseconds: 80 },
    ]);
  });

  it('report every round', async () => {
    const seen: string[] = [];
    const { contestants, now } = stub({ adam: [1, 1, 1] });
    await takeTurns(contestants, {
      rounds: 2,
      warmUp: 1,
      now,
      onRound: (done, total) => seen.push(`${done}/${total}`),
    });
    expect(seen).toEqual(['1/3', '2/3', '3/3']);
  });

  it('stop at a loss that is not finite, naming optimizer and step', async () => {
    const { contestants, now } = stub({ adam: [1, 1, 1] }, (step) => (step === 2 ? NaN : 1));
    await expect(takeTurns(contestants, { rounds: 2, warmUp: 1, now })).rejects.toThrow(
      'adam: the loss of step 2 is NaN, expected a finite number',
    );
  });

  it.each([
    [{ rounds: 0, warmUp: 1 }, 'rounds: expected a whole number of at least 1, got 0'],
    [{ rounds: 1, warmUp: 0.5 }, 'warmUp: expected a whole number of at least 1, got 0.5'],
  ])('refuse counts of %o', async (turns, message) => {
    await expect(takeTurns([], turns)).rejects.toThrow(message);
  });
});

describe('a row', () => {
  const timings = (name: string, rounds: readonly number[]) => ({
    ...{ name, rounds, firstMilliseconds: 99, loss: 1 },
    cpuRounds: rounds.map((time) => 3 * time),
  });

  it('has the median of the ratios of the rounds, not the ratio of the medians', () => {
    // Ratios 2, 1.5, 1.1; the medians, 20 and 10, have a ratio of 2.
    const row = rowOf(SETTING, timings('learned', [20, 15, 44]), timings('adam', [10, 10, 40]), FACTS);
    expect(row).toMatchObject({ optimizer: 'learned', milliseconds: 20, adamMilliseconds: 10, ratio: 1.5, rounds: 3 });
    expect(row.ratioMad).toBeCloseTo(0.4, 12);
    expect(row.millisecondsMad).toBe(5);
    expect(row).toMatchObject({ cpuMilliseconds: 60, adamCpuMilliseconds: 30, cpuRatio: 1.5 });
  });

  it('is refused for optimizers that were not timed in the same rounds', () => {
    expect(() => rowOf(SETTING, timings('learned', [1]), timings('adam', [1, 2]), FACTS)).toThrow(
      'rounds of learned: expected 2, as many as adam has, got 1',
    );
  });
});
