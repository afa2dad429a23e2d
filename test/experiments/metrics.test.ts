import { describe, expect, it } from 'vitest';
import { runMetrics } from '../../lib/experiments/metrics';
import type { LossPoint } from '../../lib/experiments/training';

const curve = (...losses: number[]): LossPoint[] => losses.map((loss, i) => ({ step: 10 * i, loss }));

describe('runMetrics', () => {
  it('is the mean of the last five losses and the mean log loss relative to the start', () => {
    const metrics = runMetrics(curve(Math.E, 1, 1, 1, 1, 1));
    expect(metrics.initialLoss).toBe(Math.E);
    expect(metrics.finalLoss).toBe(1);
    expect(metrics.meanLogLoss).toBeCloseTo(-5 / 6, 12);
    expect(metrics.outcome).toBe('trained');
  });

  it('compares the last quarter of the curve with the one before', () => {
    const falling = runMetrics(curve(8, 8, 4, 4, 2, 2, 1, 1));
    expect(falling.lateChange).toBeCloseTo(-Math.LN2, 12);
    const rising = runMetrics(curve(8, 4, 2, 1, 1, 1, 3, 3));
    expect(rising.lateChange).toBeCloseTo(Math.log(3), 12);
    expect(rising.outcome).toBe('trained');
  });

  it('is stuck above half the initial loss and diverged above it', () => {
    const end = (loss: number): string => runMetrics(curve(4, 1, loss, loss, loss, loss, loss)).outcome;
    expect(end(1.99)).toBe('trained');
    expect(end(2.01)).toBe('stuck');
    expect(end(4.01)).toBe('diverged');
  });

  it('counts a run as diverged for good once a loss was not finite', () => {
    expect(runMetrics(curve(4, NaN, 1, 1, 1, 1, 1, 1))).toEqual({
      initialLoss: 4,
      finalLoss: Infinity,
      meanLogLoss: Infinity,
      lateChange: Infinity,
      outcome: 'diverged',
    });
  });

  it('takes losses below 1e-8 for 1e-8 where it takes logarithms', () => {
    expect(runMetrics(curve(1, 0, 0)).meanLogLoss).toBeCloseTo((2 * Math.log(1e-8)) / 3, 12);
  });
});
