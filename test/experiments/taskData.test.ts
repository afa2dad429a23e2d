import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTaskData, MissingDataError, MNIST_COUNT } from '../../lib/experiments/tasks/data';
import { NETWORK_TASKS } from '../../lib/experiments/tasks/networkTasks';
import { zerosLike } from '../../lib/problems/problem';

/** Folder with the t10k files of MNIST; without it the tests on the real images are skipped. */
const mnistDir = process.env['MNIST_DIR'];

const empty = mkdtempSync(join(tmpdir(), 'no-mnist-'));
afterAll(() => rmSync(empty, { recursive: true }));

describe('loadTaskData', () => {
  it('needs nothing for tasks on the digits', async () => {
    const tasks = NETWORK_TASKS.filter(({ data }) => data === 'digits');
    const { digits, mnist } = await loadTaskData(tasks);
    expect(digits.count).toBe(1797);
    expect(mnist).toBeUndefined();
  });

  it.each([
    ['no folder', undefined, /but no folder was given/],
    ['a folder without the files', empty, /but .*no-mnist-.* does not hold them/],
    ['a folder that does not exist', join(empty, 'x'), /does not hold them/],
  ])('says what to give where MNIST is needed: %s', async (_, dataDir, message) => {
    const error: Error = await loadTaskData(NETWORK_TASKS, dataDir).then(
      () => expect.fail('expected an error'),
      (reason: Error) => reason,
    );
    expect(error).toBeInstanceOf(MissingDataError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/--data-dir: mnist-relu, mnist-sigmoid, mnist-conv need/);
    expect(error.message).toMatch(/t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte/);
    expect(error.message).toMatch(/--tasks deep-relu,autoencoder,recurrent,residual,digits-tanh$/);
  });

  it.skipIf(mnistDir === undefined)(
    'reads the first 8,000 images of t10k, on which a step lowers the loss',
    async () => {
      const data = await loadTaskData(NETWORK_TASKS, mnistDir);
      expect(data.mnist!.count).toBe(MNIST_COUNT);
      // The first labels of the published t10k file.
      expect([...data.mnist!.labels.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
      for (const task of NETWORK_TASKS.filter((t) => t.data === 'mnist')) {
        const problem = task.problem(data);
        const parameters = problem.initial(0);
        const gradients = zerosLike(problem);
        const batch = Int32Array.from({ length: 64 }, (_, i) => i);
        const before = problem.lossAndGradient(parameters, batch, gradients);
        parameters.forEach((p, t) => p.forEach((_, i) => (p[i] -= 0.01 * gradients[t][i])));
        expect(problem.lossAndGradient(parameters, batch, gradients)).toBeLessThan(before);
        expect(before).toBeGreaterThan(2);
      }
    },
  );
});
