import { describe, expect, it } from 'vitest';
import { start } from '../cli/run';

/** Runs an example; it must succeed without a word on the error stream other than TensorFlow.js's advice. */
async function run(name: string): Promise<string> {
  const { code, stdout, stderr } = await start(`examples/${name}.ts`, []).finished;
  expect(code, stderr).toBe(0);
  expect(stderr).not.toMatch(/error|warning/i);
  return stdout;
}

/** The number behind `label` in the output. */
function numberAfter(output: string, label: string): number {
  const match = new RegExp(`${label} (-?[\\d.]+(?:e[+-]?\\d+)?)`).exec(output);
  expect(match, `${label} in:\n${output}`).not.toBeNull();
  return Number(match![1]);
}

describe('examples', { timeout: 120_000 }, () => {
  it('layers: learns the digits', async () => {
    const output = await run('layers');
    expect(numberAfter(output, 'epoch 20: loss')).toBeLessThan(0.2);
    expect(numberAfter(output, 'test accuracy')).toBeGreaterThan(0.9);
  });

  it('custom-loop: learns the sine', async () => {
    const output = await run('custom-loop');
    expect(numberAfter(output, 'step 600: mean squared error')).toBeLessThan(1e-2);
    expect(numberAfter(output, 'is predicted as')).toBeCloseTo(1, 0);
  });

  it('logistic-regression: separates the clouds as well as they can be', async () => {
    const output = await run('logistic-regression');
    expect(numberAfter(output, 'step 200: loss')).toBeLessThan(0.27);
    expect(numberAfter(output, 'accuracy')).toBeGreaterThan(0.88);
  });

  it('checkpoint-resume: continues bit for bit', async () => {
    const output = await run('checkpoint-resume');
    expect(output).toContain('resumed at step 200');
    expect(output).toContain('bit for bit the same');
    // The bowl starts at a loss of about 1,100.
    expect(numberAfter(output, 'after step 400: loss')).toBeLessThan(1);
  });

  it('async-step: the timer goes on while the optimizer steps', async () => {
    const output = await run('async-step');
    expect(numberAfter(output, 'the timer fired')).toBeGreaterThan(20);
    const [, before, after] = /loss ([\d.]+) -> ([\d.]+)/.exec(output)!.map(Number);
    expect(after).toBeLessThan(before);
  });

  it('own-problem: its derivatives agree, and it is trained', async () => {
    const output = await run('own-problem');
    expect(numberAfter(output, 'gradient error')).toBeLessThan(1e-6);
    expect(numberAfter(output, 'product error')).toBeLessThan(1e-6);
    const before = numberAfter(output, 'decay-curves: loss at the start');
    expect(numberAfter(output, 'decay-curves: loss after 1000 steps')).toBeLessThan(before / 20);
    expect(numberAfter(output, 'rescaled-decay-curves-noise-0.001: loss after 1000 steps')).toBeLessThan(before / 2);
  });
});
