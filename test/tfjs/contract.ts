import { describe, expect, it } from 'vitest';
import type { Tensor, Variable } from '@tensorflow/tfjs';
import { createOptimizer, DEFAULT_ARCHITECTURE, initialWeights } from '../../lib/index';
import { createRandom } from '../../lib/random';
import type { TensorFlow } from '../../lib/tfjs/backend';
import * as tfjs from '../../lib/tfjs/index';
import type { TfLearnedOptimizer, TfOptimizerOptions } from '../../lib/tfjs/index';

export const withLookahead = initialWeights({ ...DEFAULT_ARCHITECTURE, attention: true }, 3);

/** Arrays of normal numbers, the same for the same seed. */
export function normals(seed: number, ...lengths: number[]): Float32Array[] {
  const random = createRandom(seed);
  return lengths.map((n) => Float32Array.from({ length: n }, () => random.normal()));
}

export const values = (tensor: Tensor): Float32Array => Float32Array.from(tensor.dataSync());

/** What every `tf.Optimizer` owes its user, on any backend, with any `defaults`. */
export function contract(tf: TensorFlow, defaults: TfOptimizerOptions = {}): void {
  const learnedOptimizer = (options?: TfOptimizerOptions): TfLearnedOptimizer =>
    tfjs.learnedOptimizer({ ...defaults, ...options });
  let count = 0;
  const variable = (array: Float32Array, shape: number[] = [array.length]): Variable =>
    tf.tidy(() => tf.variable(tf.tensor(array.slice(), shape), true, `contract${count++}`));
  const gradientMap = (variables: readonly Variable[], arrays: readonly (Float32Array | null)[]) =>
    Object.fromEntries(
      variables.flatMap((v, i) => (arrays[i] === null ? [] : [[v.name, tf.tensor(arrays[i].slice(), v.shape)]])),
    );

  describe('a step', () => {
    it('gives the bits of the raw API', () => {
      const shapes = [[30, 7], [7], [2, 3, 4], []];
      const lengths = shapes.map((s) => s.reduce((a, b) => a * b, 1));
      const raw = normals(1, ...lengths);
      const variables = raw.map((array, i) => variable(array, shapes[i]));
      const options = { weightDecay: 1e-4, clipNorm: 3, learningRateMultiplier: (step: number) => 1 / (1 + step) };
      const optimizer = learnedOptimizer(options);
      const direct = createOptimizer(raw, options);
      for (let step = 0; step < 20; step++) {
        const gradients = normals(100 + step, ...lengths);
        if (step % 3 === 1) gradients[1][2] = NaN;
        direct.step(gradients);
        optimizer.applyGradients(gradientMap(variables, gradients));
        variables.forEach((v, i) => expect(values(v)).toEqual(raw[i]));
      }
      expect(optimizer.lastReport).toMatchObject({ iteration: 20, skipped: 1 });
      expect(optimizer.iterations).toBe(20);
      tf.dispose(variables);
      optimizer.dispose();
    });

    it('takes gradients as a list in place of a map', () => {
      const [a, g] = normals(2, 10, 10);
      const [asMap, asList] = [variable(a), variable(a)];
      const [first, second] = [learnedOptimizer(), learnedOptimizer()];
      first.applyGradients(gradientMap([asMap], [g]));
      second.applyGradients([{ name: asList.name, tensor: tf.tensor(g) }]);
      expect(values(asList)).toEqual(values(asMap));
      expect(values(asList)).not.toEqual(a);
    });

    it('leaves variables without a gradient alone', () => {
      const [a, g] = normals(3, 10, 10);
      const [moved, kept] = [variable(a), variable(a)];
      const optimizer = learnedOptimizer();
      optimizer.applyGradients([
        { name: moved.name, tensor: tf.tensor(g) },
        { name: kept.name, tensor: null as unknown as Tensor },
      ]);
      expect(values(kept)).toEqual(a);
      expect(values(moved)).not.toEqual(a);
    });

    it('refuses names, shapes and types that do not fit, and changes nothing', () => {
      const [a] = normals(4, 6);
      const v = variable(a, [2, 3]);
      const integers = tf.variable(tf.tensor1d([1, 2], 'int32'), true, `contract${count++}`);
      const optimizer = learnedOptimizer();
      const good = { name: v.name, tensor: tf.ones([2, 3]) };
      expect(() => optimizer.applyGradients([good, { name: 'nobody', tensor: tf.ones([1]) }])).toThrow(
        /variableGradients: there is no variable named 'nobody'/,
      );
      expect(() => optimizer.applyGradients([{ name: v.name, tensor: tf.ones([3, 2]) }])).toThrow(
        /expected shape \[2, 3\], got \[3, 2\]/,
      );
      expect(() => optimizer.applyGradients([good, { name: integers.name, tensor: tf.ones([2]) }])).toThrow(
        /expected float32, got a variable of int32/,
      );
      expect(() => optimizer.applyGradients([good, good])).toThrow(/expected each variable once/);
      expect(values(v)).toEqual(a);
      expect(optimizer.iterations).toBe(0);
    });

    it('works inside tf.tidy and leaves the variables alive', () => {
      const v = variable(normals(5, 4)[0]);
      const optimizer = learnedOptimizer();
      for (let i = 0; i < 3; i++) tf.tidy(() => optimizer.applyGradients({ [v.name]: tf.ones([4]) }));
      expect(v.isDisposed).toBe(false);
      expect(values(v).every(Number.isFinite)).toBe(true);
    });

    it('skips variables without elements', () => {
      const [empty, v] = [variable(new Float32Array(0), [0, 3]), variable(normals(6, 4)[0])];
      const optimizer = learnedOptimizer();
      optimizer.applyGradients({ [empty.name]: tf.zeros([0, 3]), [v.name]: tf.ones([4]) });
      expect(optimizer.iterations).toBe(1);
    });
  });

  describe('minimize', () => {
    it('brings a quadratic down and returns the cost when asked', () => {
      const x = variable(normals(7, 20)[0]);
      const target = tf.linspace(-1, 1, 20);
      const cost = (): ReturnType<typeof tf.scalar> => tf.mean(tf.square(tf.sub(x, target)));
      const optimizer = learnedOptimizer();
      const first = optimizer.minimize(cost, true, [x])!.dataSync()[0];
      for (let i = 0; i < 300; i++) expect(optimizer.minimize(cost, false, [x])).toBeNull();
      expect(cost().dataSync()[0]).toBeLessThan(first / 1e4);
    });

    it('allocates nothing that stays, step after step, and dispose frees the rest', async () => {
      const xs = normals(8, 50, 3).map((a) => variable(a));
      const cost = (): ReturnType<typeof tf.scalar> => tf.addN(xs.map((x) => tf.sum(tf.square(x)))) as never;
      const before = tf.memory();
      const optimizer = learnedOptimizer();
      optimizer.minimize(cost, false, xs);
      const early = tf.memory();
      for (let i = 0; i < 50; i++) optimizer.minimize(cost, false, xs);
      expect(tf.memory().numTensors).toBe(early.numTensors);
      expect(tf.memory().numDataBuffers).toBe(early.numDataBuffers);
      for (let i = 0; i < 3; i++) await optimizer.getWeights();
      const afterSaves = tf.memory().numTensors;
      await optimizer.getWeights();
      expect(tf.memory().numTensors).toBe(afterSaves);
      expect(optimizer.bytes).toBeGreaterThan(0);
      optimizer.dispose();
      optimizer.dispose();
      expect(tf.memory().numTensors).toBe(before.numTensors);
      expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
      expect(() => optimizer.minimize(cost, false, xs)).toThrow(/disposed/);
    });
  });

  describe('values that belong to the user', () => {
    it('never change: source arrays, source tensors, clones, assigned tensors', () => {
      const [source, g] = normals(9, 33, 33);
      const original = source.slice();
      const tensor = tf.tensor(source);
      const v = tf.variable(tensor, true, `contract${count++}`);
      const optimizer = learnedOptimizer();
      const step = (): void => optimizer.applyGradients({ [v.name]: tf.tensor(g) });
      step();
      step();
      expect(source).toEqual(original);
      expect(values(tensor)).toEqual(original);

      const best = v.clone();
      const snapshot = values(v);
      const shared = tf.variable(v as Tensor, false, `contract${count++}`);
      step();
      step();
      expect(values(best)).toEqual(snapshot);
      expect(values(shared)).toEqual(snapshot);
      expect(values(v)).not.toEqual(snapshot);

      v.assign(best);
      expect(values(v)).toEqual(snapshot);
      step();
      expect(values(best)).toEqual(snapshot);
      expect(values(v)).not.toEqual(snapshot);
    });

    it('are where the next step starts from after an assign', () => {
      const [a, b, g] = normals(10, 12, 12, 12);
      const v = variable(a);
      const raw = a.slice();
      const [optimizer, direct] = [learnedOptimizer(), createOptimizer([raw])];
      for (let i = 0; i < 4; i++) {
        if (i === 2) {
          v.assign(tf.tensor(b));
          raw.set(b);
        }
        optimizer.applyGradients({ [v.name]: tf.tensor(g) });
        direct.step([g]);
        expect(values(v)).toEqual(raw);
      }
    });
  });

  describe('lists of variables that change', () => {
    it('keep the state of every variable that comes back', () => {
      const raw = normals(11, 8, 9, 10);
      const vs = raw.map((a) => variable(a));
      const [optimizer, direct] = [learnedOptimizer(), createOptimizer(raw)];
      const subsets = [[0, 1], [1], [0, 2], [2, 1, 0], [1, 2]];
      subsets.forEach((subset, step) => {
        const gradients = normals(200 + step, 8, 9, 10).map((g, i) => (subset.includes(i) ? g : null));
        direct.step(gradients);
        optimizer.applyGradients(gradientMap(vs, gradients));
        vs.forEach((v, i) => expect(values(v)).toEqual(raw[i]));
      });
    });

    it('give back the memory of variables that were disposed', () => {
      const [big, small] = [variable(new Float32Array(50_000)), variable(new Float32Array(10))];
      const optimizer = learnedOptimizer();
      optimizer.applyGradients({ [big.name]: tf.ones([50_000]), [small.name]: tf.ones([10]) });
      const before = optimizer.bytes;
      big.dispose();
      optimizer.applyGradients({ [small.name]: tf.ones([10]) });
      expect(optimizer.bytes).toBeLessThan(before / 10);
    });
  });

  describe('lookahead', () => {
    it('keeps φ in the variables and hands out θ', async () => {
      const raw = normals(12, 15);
      const v = variable(raw[0]);
      const options = { weights: withLookahead, initialLearningRate: 0.01 };
      const [optimizer, direct] = [learnedOptimizer(options), createOptimizer(raw, options)];
      for (let i = 0; i < 6; i++) {
        const [g] = normals(300 + i, 15);
        optimizer.applyGradients({ [v.name]: tf.tensor(g) });
        direct.step([g]);
        const theta = optimizer.evaluationParameters();
        expect(values(v)).toEqual(raw[0]);
        expect(values(theta[v.name])).toEqual(direct.evaluationParameters()[0]);
        expect(values(theta[v.name])).not.toEqual(raw[0]);
        tf.dispose(theta);
        const seen = await optimizer.withEvaluationParameters(() => values(v));
        expect(seen).toEqual(direct.evaluationParameters()[0]);
        expect(values(v)).toEqual(raw[0]);
      }
    });

    it('goes on from the values that the user assigned', () => {
      const [a, b, g] = normals(13, 15, 15, 15);
      const v = variable(a);
      const raw = a.slice();
      const options = { weights: withLookahead };
      const [optimizer, direct] = [learnedOptimizer(options), createOptimizer([raw], options)];
      for (let i = 0; i < 4; i++) {
        if (i === 2) {
          v.assign(tf.tensor(b));
          raw.set(b);
          direct.resetLookahead();
        }
        optimizer.applyGradients({ [v.name]: tf.tensor(g) });
        direct.step([g]);
      }
      expect(values(v)).toEqual(raw);
    });
  });
}
