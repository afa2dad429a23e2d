import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { L2lCheckpointMismatch } from '../../lib/experiments/l2l/metaTraining/checkpoint';
import { L2L_DEFAULTS, type L2lConfig } from '../../lib/experiments/l2l/metaTraining/config';
import { advance, segmentGradient } from '../../lib/experiments/l2l/metaTraining/graph';
import { metaTrainL2l } from '../../lib/experiments/l2l/metaTraining/metaTrain';
import { Trajectory } from '../../lib/experiments/l2l/metaTraining/trajectory';
import { l2l } from '../../lib/experiments/l2l/optimizer';
import { initialL2lWeights, l2lTensors } from '../../lib/experiments/l2l/weights';
import { zerosLike } from '../../lib/problems/problem';
import { batchSource } from '../../lib/problems/batches';
import { createRandom } from '../../lib/random';
import { loadBackend } from '../../lib/tfjs/backend';
import { describeMissingTfjsNode, hasTfjsNode } from '../tfjs/tfjsNode';
import { coordinateStep, freshCoordinate, recordingQuadratic, surrogate } from './l2lReference';

if (!hasTfjsNode) {
  describeMissingTfjsNode('meta-training of L2L');
} else {
  const { tf } = await loadBackend('node');
  const folder = mkdtempSync(join(tmpdir(), 'l2l-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Weights whose read-out is far from zero, so that trajectories move. */
  const weightsOf = (seed: number, units: number): ReturnType<typeof initialL2lWeights> => {
    const weights = initialL2lWeights(seed, units);
    l2lTensors(units, weights.values)[2].forEach((v, i, all) => (all[i] = 5 * v + 0.5));
    return weights;
  };

  describe('the graph of meta-training', () => {
    it('takes the steps of the optimizer at run time', () => {
      const weights = weightsOf(3, 20);
      const problem = recordingQuadratic();
      const trajectory = new Trajectory(problem, 20, 7);
      const parameters = problem.initial(7);
      const gradients = zerosLike(problem);
      const draw = batchSource(problem, 'replacement', createRandom(7, 1));
      const batch = new Int32Array(1);
      const optimizer = l2l({ weights })(parameters);
      for (let step = 0; step < 60; step++) {
        draw(batch);
        const loss = problem.lossAndGradient(parameters, batch, gradients);
        expect(Math.abs(trajectory.loss - loss)).toBeLessThan(2e-5 * Math.max(1, loss));
        optimizer.step(gradients);
        advance(tf, weights, trajectory, 1);
        const apart = trajectory.parameters.flatMap((p, t) => [...p].map((v, i) => Math.abs(v - parameters[t][i])));
        expect(Math.max(...apart)).toBeLessThan(2e-6 * (step + 1));
      }
      const start = problem.initial(7).flatMap((p) => [...p]);
      const way = parameters.flatMap((p) => [...p]).map((v, i) => Math.abs(v - start[i]));
      expect(Math.min(...way)).toBeGreaterThan(1e-2);
    });

    it.each([0, 4])('has the meta-gradient of finite differences, %i steps into a trajectory', (before) => {
      const [units, steps] = [3, 6];
      const weights = weightsOf(11, units);
      const problem = recordingQuadratic();
      const trajectory = new Trajectory(problem, units, 2);
      advance(tf, weights, trajectory, before);
      const { losses, gradient } = segmentGradient(tf, weights, trajectory, steps);
      expect(losses).toHaveLength(steps);
      const values = Float64Array.from(weights.values);
      // The state at the start of the segment is a constant of the truncated gradient.
      const states = Array.from({ length: trajectory.coordinates }, () => freshCoordinate(units));
      for (let t = 0; t < before; t++) {
        states.forEach((state, i) => coordinateStep(units, values, state, problem.recorded[t][i]));
      }
      const gradients = problem.recorded.slice(before);
      expect(gradients).toHaveLength(steps + 1);
      const difference = 1e-5;
      const expected = values.map((_, i) => {
        const [up, down] = [difference, -difference].map((d) => {
          const changed = values.slice();
          changed[i] += d;
          return surrogate(units, changed, states, gradients);
        });
        return (up - down) / (2 * difference);
      });
      const scale = Math.max(...expected.map(Math.abs));
      expect(scale).toBeGreaterThan(1e-3);
      const error = Math.max(...expected.map((e, i) => Math.abs(e - gradient[i])));
      expect(error / scale).toBeLessThan(2e-5);
    });

    it('frees the memory of a segment', () => {
      const weights = weightsOf(1, 3);
      const trajectory = new Trajectory(recordingQuadratic(), 3, 1);
      const before = tf.memory().numTensors;
      segmentGradient(tf, weights, trajectory, 3);
      advance(tf, weights, trajectory, 3);
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  describe('metaTrainL2l', () => {
    const config: L2lConfig = {
      ...{ seed: 3, units: 4, horizon: 20, truncation: 5, learningRate: 1e-2, validateEvery: 4, validationStarts: 2 },
    };
    const run = (
      trajectories: number,
      rest: Partial<Parameters<typeof metaTrainL2l>[0]> = {},
    ): ReturnType<typeof metaTrainL2l> =>
      metaTrainL2l({ tf, optimizee: recordingQuadratic(), config, trajectories, ...rest });

    it('lowers the loss and returns the weights of the best validation', async () => {
      const result = await run(24);
      const final = result.validations.map(({ loss }) => loss);
      expect(final).toHaveLength(6);
      expect(result.best!.loss).toBe(Math.min(...final));
      const untrained = initialL2lWeights(config.seed, config.units);
      const losses = [untrained, result.weights].map((weights) => {
        const trajectory = new Trajectory(recordingQuadratic(), config.units, 99);
        advance(tf, weights, trajectory, config.horizon);
        return trajectory.fullLoss();
      });
      expect(losses[1]).toBeLessThan(0.9 * losses[0]);
      // The weights are those of the best validation, which another run reaches as its last.
      const shorter = await run(result.best!.trajectories);
      expect(shorter.best).toEqual(result.best);
      expect(shorter.weights.values).toEqual(result.weights.values);
      expect(JSON.parse(result.weights.metadata.provenance)).toMatchObject({
        ...{ trajectories: 24, learningRates: [{ from: 0, learningRate: 1e-2 }] },
        config: { horizon: 20, truncation: 5, units: 4 },
      });
    });

    it('goes on from a checkpoint with the same bits, also after an abort in mid-trajectory', async () => {
      const whole = await run(11);
      const checkpoint = join(folder, 'resumed');
      await run(3, { checkpoint });
      const controller = new AbortController();
      let polls = 0;
      const signal = new Proxy(controller.signal, {
        get(target, key) {
          // The sixth poll from here is inside the second trajectory.
          if (key === 'throwIfAborted' && ++polls === 8) controller.abort(new Error('enough'));
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
      const done: number[] = [];
      const aborted = run(11, { checkpoint, signal, onProgress: ({ trajectories }) => done.push(trajectories) });
      await expect(aborted).rejects.toThrow('enough');
      expect(done).toEqual([4]);
      const seen: number[] = [];
      const resumed = await run(11, { checkpoint, onProgress: ({ trajectories }) => seen.push(trajectories) });
      expect(seen[0]).toBe(5);
      expect(resumed).toEqual(whole);
      // A finished run has nothing left to do.
      const bytes = readFileSync(checkpoint);
      expect(await run(11, { checkpoint })).toEqual(whole);
      expect(readFileSync(checkpoint)).toEqual(bytes);
    });

    it('goes on with another learning rate, and says so', async () => {
      const [same, other] = [join(folder, 'same'), join(folder, 'lower')];
      await Promise.all([same, other].map((checkpoint) => run(4, { checkpoint })));
      const higher = await run(8, { checkpoint: same });
      const lower = await run(8, { checkpoint: other, config: { ...config, learningRate: 1e-3 } });
      expect(lower.records.slice(0, 5)).not.toEqual(higher.records.slice(0, 5));
      expect(lower.records.slice(0, 4)).toEqual(higher.records.slice(0, 4));
      expect((JSON.parse(lower.weights.metadata.provenance) as { learningRates: unknown }).learningRates).toEqual([
        { from: 0, learningRate: 1e-2 },
        { from: 4, learningRate: 1e-3 },
      ]);
    });

    it('refuses a checkpoint of another run, and a file that is none', async () => {
      const checkpoint = join(folder, 'other');
      await run(1, { checkpoint });
      const other = run(2, { checkpoint, config: { ...config, truncation: 10 } });
      await expect(other).rejects.toThrow(L2lCheckpointMismatch);
      await expect(run(2, { checkpoint, config: { ...config, truncation: 10 } })).rejects.toThrow(
        /expected a run of .*"truncation":10.*, got one of .*"truncation":5/,
      );
      writeFileSync(checkpoint, 'no checkpoint at all');
      await expect(run(2, { checkpoint })).rejects.toThrow(/safetensors/);
      expect(readFileSync(checkpoint, 'utf8')).toBe('no checkpoint at all');
    });

    it.each<[Partial<L2lConfig>, RegExp]>([
      [{ truncation: 6 }, /config\.truncation: expected a divisor of the horizon of 20 steps, got 6/],
      [{ horizon: 0 }, /config\.horizon: expected a positive integer, got 0/],
      [{ seed: 0 }, /config\.seed: expected an integer from 1 to 2047, got 0/],
      [{ learningRate: NaN }, /config\.learningRate: expected a number above 0, got NaN/],
    ])('refuses %j', async (change, message) => {
      await expect(run(1, { config: { ...L2L_DEFAULTS, ...config, ...change } })).rejects.toThrow(message);
    });
  });
}
