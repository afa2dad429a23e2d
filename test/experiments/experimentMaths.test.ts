import { describe, expect, it } from 'vitest';
import { loadDigits } from '../../lib/datasets/digits';
import { slice } from '../../lib/datasets/images';
import { sgd } from '../../lib/experiments/baselines';
import { performanceRatios, shareWithin } from '../../lib/experiments/experiment/profile';
import { quantile, quartilesOf, spreadOf } from '../../lib/experiments/experiment/quantiles';
import { NETWORK_TASKS } from '../../lib/experiments/tasks/networkTasks';
import type { Network } from '../../lib/problems/network/network';

describe('quantiles', () => {
  it('interpolate between neighbours', () => {
    expect([0, 0.25, 0.5, 0.75, 1].map((share) => quantile([4, 1, 3, 2], share))).toEqual([1, 1.75, 2.5, 3.25, 4]);
    expect(quantile([7], 0.3)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('count what is not finite as larger than all else', () => {
    expect(spreadOf([NaN, 1, 3, 2])).toEqual({ median: 2.5, low: 1, high: Infinity });
    expect(spreadOf([1, Infinity])).toEqual({ median: Infinity, low: 1, high: Infinity });
    expect(quartilesOf([0, 1, 2, 3, Infinity])).toEqual({ median: 2, low: 1, high: 3 });
    expect(spreadOf([Infinity, Infinity]).median).toBe(Infinity);
  });

  it('refuse shares outside 0 to 1', () => {
    expect(() => quantile([1], 1.1)).toThrow('share: expected a number from 0 to 1, got 1.1');
  });
});

describe('performance profile', () => {
  // Two optimizers, four instances: first better, second better, first diverged, both below the floor.
  const ratios = performanceRatios(
    [
      [1, 8, Infinity, 1e-9],
      [2, 2, 5, 1e-12],
    ],
    [0.1, 0.1, 0.1, 1e-6],
  );

  it('has each loss over the lowest of its instance, floors included', () => {
    expect(ratios).toEqual([
      [1, 4, Infinity, 1],
      [2, 1, 1, 1],
    ]);
  });

  it('counts the instances within a factor', () => {
    expect([1, 2, 4, 1e9].map((tau) => shareWithin(ratios[0], tau))).toEqual([0.5, 0.5, 0.75, 0.75]);
    expect([1, 2].map((tau) => shareWithin(ratios[1], tau))).toEqual([0.75, 1]);
  });

  it('gives nobody an instance on which all diverged', () => {
    expect(performanceRatios([[Infinity], [NaN]], [1])).toEqual([[Infinity], [Infinity]]);
  });

  it('refuses optimizers with different instances', () => {
    expect(() => performanceRatios([[1, 2]], [1])).toThrow('losses[0]: expected 1 instances, got 2');
  });
});

it('plain SGD steps along the gradient', () => {
  const parameters = [Float32Array.of(1, 2), Float32Array.of(3)];
  sgd({ learningRate: 0.5 })(parameters).step([Float32Array.of(1, -1), Float32Array.of(4)]);
  expect(parameters.map((p) => [...p])).toEqual([[0.5, 2.5], [1]]);
});

describe('accuracy of a network', () => {
  const problem = (name: string) =>
    NETWORK_TASKS.find((task) => task.name === name)!.problem({ digits: slice(loadDigits(), 0, 500) }) as Network;

  it('is the share of samples of the class with the largest output', () => {
    const network = problem('deep-relu');
    const { labels } = slice(loadDigits(), 0, 500);
    // All weights 0, so the biases of the last layer are the outputs: class 3 for every sample.
    const parameters = network.initial(0).map((values) => values.fill(0));
    parameters[parameters.length - 1][3] = 1;
    expect(network.accuracy(parameters)).toBeCloseTo(labels.filter((label) => label === 3).length / 500, 12);
  });

  it('is refused where the target is values', () => {
    const network = problem('autoencoder');
    expect(() => network.accuracy(network.initial(0))).toThrow('target: expected classes for an accuracy, got values');
  });
});
