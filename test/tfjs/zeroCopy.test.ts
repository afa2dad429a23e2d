import { describe, expect, it, vi } from 'vitest';
import type { Tensor } from '@tensorflow/tfjs';
import { borrowing, withBorrowed } from '../../bindings/index';
import { createOptimizer } from '../../lib/index';
import { loadBackend } from '../../lib/tfjs/backend';
import { learnedOptimizer } from '../../lib/tfjs/index';
import { asNodeBackend } from '../../lib/tfjs/nodeBackend';
import { bitsOf, runFile } from '../bindings/setup';
import { contract, normals, values } from './contract';
import { hasTfjsNode } from './tfjsNode';
import { train } from './zeroCopyTraining';

// That tfjs-node is there where it is required is for node.test.ts to say.
describe.skipIf(!hasTfjsNode || process.platform !== 'linux')('zeroCopy on tfjs-node', async () => {
  const { tf } = hasTfjsNode ? await loadBackend('node') : { tf: null! };
  const backend = hasTfjsNode ? asNodeBackend(tf.backend())! : null!;

  contract(tf, { zeroCopy: true });

  const shapes = [[200, 300], [7], [2, 3, 4], []];
  const lengths = shapes.map((shape) => shape.reduce((a, b) => a * b, 1));

  it('gives the bits of the raw API and copies no gradient', () => {
    const raw = normals(1, ...lengths);
    const variables = raw.map((array, i) => tf.variable(tf.tensor(array.slice(), shapes[i])));
    const options = { clipNorm: 3 };
    const [optimizer, direct] = [learnedOptimizer({ ...options, zeroCopy: true }), createOptimizer(raw, options)];
    for (let step = 0; step < 10; step++) {
      const gradients = normals(100 + step, ...lengths);
      const tensors = gradients.map((g, i) => tf.mul(tf.tensor(g, shapes[i]), 1));
      const reading = vi.spyOn(tf.backend(), 'readSync');
      const named = variables.map(({ name }, i) => ({ name, tensor: tensors[i] }));
      // The first step takes the variables' values.
      const reads = step === 0 ? expect.anything() : 0;
      optimizer.applyGradients(named);
      expect(reading.mock.calls.length).toEqual(reads);
      reading.mockRestore();
      direct.step(gradients);
      expect(bitsOf(variables.map(values))).toBe(bitsOf(raw));
      expect(bitsOf(tensors.map(values))).toBe(bitsOf(gradients));
    }
  });

  it('copies gradients that lie in the memory of their variable', () => {
    const [a] = normals(2, 60);
    const [v, raw] = [tf.variable(tf.tensor(a.slice(), [6, 10])), a.slice()];
    const [optimizer, direct] = [learnedOptimizer({ zeroCopy: true }), createOptimizer([raw])];
    for (let step = 0; step < 5; step++) {
      // ½ Σ v² has the gradient v; TensorFlow reshapes without a copy.
      tf.tidy(() => optimizer.applyGradients({ [v.name]: tf.reshape(v, v.shape) }));
      direct.step([raw.slice()]);
      expect(values(v)).toEqual(raw);
    }
  });

  it('lets go of the gradients after every step', () => {
    const size = 1_000_000;
    const v = tf.variable(tf.zeros([size]));
    const optimizer = learnedOptimizer({ zeroCopy: true });
    const step = (i: number): void => tf.tidy(() => optimizer.applyGradients({ [v.name]: tf.fill([size], i + 1) }));
    for (let i = 0; i < 3; i++) step(i);
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 60; i++) step(i);
    expect(process.memoryUsage.rss() - before).toBeLessThan(30 * 4 * size);
  });

  it('says what stands against it', () => {
    const v = tf.variable(tf.zeros([3]));
    const optimizer = learnedOptimizer({ zeroCopy: true });
    const step = (): void => optimizer.applyGradients({ [v.name]: tf.ones([3]) });
    const gpu = vi.spyOn(tf.backend() as unknown as { isUsingGpuDevice: boolean }, 'isUsingGpuDevice', 'get');
    gpu.mockReturnValue(true);
    try {
      expect(step).toThrow(
        /zeroCopy: gradients cannot be read in TensorFlow's memory here: .*GPU.*; without the option they are copied/,
      );
    } finally {
      gpu.mockRestore();
    }
    expect(values(v)).toEqual(new Float32Array(3));
    step();
    expect(optimizer.iterations).toBe(1);
  });

  describe('the op', () => {
    const { op, owner, version } = hasTfjsNode ? borrowing() : { op: '', owner: 0, version: '' };
    const { TF_ATTR_INT } = hasTfjsNode ? backend.binding : { TF_ATTR_INT: 0 };
    const attribute = (name: string, value: number) => ({ name, type: TF_ATTR_INT, value });
    const run = (inputs: Tensor[], n = inputs.length, by = owner): void =>
      void backend.executeMultipleOutputs(op, [attribute('N', n), attribute('owner', by)], inputs, 0);
    const floats = hasTfjsNode ? tf.keep(tf.mul(tf.ones([3]), 2)) : null!;

    it('is registered once with the library that tfjs-node has loaded', () => {
      expect(borrowing()).toEqual({ op, owner, version });
      expect((tf.backend() as unknown as { binding: { TF_Version: string } }).binding.TF_Version).toBe(version);
    });

    it.each<[string, () => void, RegExp]>([
      ['outside of a step', () => run([floats]), /no optimizer waits for gradients/],
      ['for an owner that there is not', () => run([floats], 1, 12345), /no optimizer waits for gradients/],
      ['with more inputs announced', () => run([floats], 2), /expected (2 inputs|inputs 'float, float')/],
      ['with integers', () => run([tf.tensor1d([1], 'int32')]), /expected to be a float tensor/],
      ['with strings', () => run([tf.tensor1d(['a'])]), /expected to be a float tensor/],
      ['without inputs', () => run([]), /must be at least minimum 1/],
      ['without attributes', () => void backend.executeMultipleOutputs(op, [], [floats], 0), /No attr named 'N'/],
      [
        'without an owner',
        () => void backend.executeMultipleOutputs(op, [attribute('N', 1)], [floats], 0),
        /missing attr 'owner'/,
      ],
      [
        'twice in a step',
        () =>
          withBorrowed(
            1,
            () => [1, 2].forEach(() => run([floats])),
            () => 0,
          ),
        /no optimizer waits/,
      ],
      [
        'with too few inputs',
        () =>
          withBorrowed(
            2,
            () => run([floats]),
            () => 0,
          ),
        /lent 1 tensors in place of 2/,
      ],
      [
        'not at all',
        () =>
          withBorrowed(
            1,
            () => undefined,
            () => 0,
          ),
        /lent 0 tensors in place of 1/,
      ],
    ])('run by somebody else %s is an error', (_, call, message) => {
      expect(call).toThrow(message);
    });

    it('takes tensors without elements', () => {
      expect(
        withBorrowed(
          1,
          () => run([tf.zeros([0, 3])]),
          (gradients) => gradients.length,
        ),
      ).toBe(1);
    });
  });

  it('works in worker threads, one after the other and at once', { timeout: 120_000 }, async () => {
    const { code, signal, stdout } = await runFile('../tfjs/zeroCopyWorkers.ts', ['30'], [], {
      TF_CPP_MIN_LOG_LEVEL: '2',
    });
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(JSON.parse(stdout)).toEqual(Array.from({ length: 5 }, () => expect.anything()));
    expect(new Set(JSON.parse(stdout) as string[])).toEqual(new Set([await train(false, 30)]));
  });
});
