import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTaskData, MissingDataError, MNIST_COUNT } from '../../lib/experiments/tasks/data';
import { NETWORK_TASKS } from '../../lib/experiments/tasks/networkTasks';
import { zerosLike } from '../../lib/problems/problem';
import { serve } from '../datasets/server';

/** Folder with the t10k files of MNIST; without it the tests on the real images are skipped. */
const mnistDir = process.env['MNIST_DIR'];

/** Header of an idx file: magic number and sizes. */
function header(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, i) => bytes.writeUInt32BE(number, 4 * i));
  return bytes;
}

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
    ['a folder without the files', empty],
    ['a folder that does not exist', join(empty, 'x')],
  ])('says what to give where MNIST is needed and cannot be downloaded: %s', async (_, dataDir) => {
    const nowhere = { mirrors: ['http://127.0.0.1:9/'], retryDelay: 1 };
    const error: Error = await loadTaskData(NETWORK_TASKS, { dataDir, ...nowhere }).then(
      () => expect.fail('expected an error'),
      (reason: Error) => reason,
    );
    expect(error).toBeInstanceOf(MissingDataError);
    expect(error.message).toMatch(/--data-dir: mnist-relu,mnist-sigmoid,mnist-conv need/);
    expect(error.message).toMatch(/--tasks deep-relu,autoencoder,recurrent,residual,digits-tanh\. /);
    expect(error.message).toMatch(/127\.0\.0\.1:9/);
  });

  it('downloads MNIST where it is needed and not there', async () => {
    const files = new Map<string, Buffer>(
      (['train', 't10k'] as const).flatMap((part) => {
        const count = part === 'train' ? 100 : 10_000;
        const labels = Buffer.concat([header(0x801, count), Buffer.alloc(count, part === 'train' ? 1 : 2)]);
        const images = Buffer.concat([header(0x803, count, 28, 28), Buffer.alloc(count * 28 * 28, 9)]);
        return [
          [`${part}-labels-idx1-ubyte.gz`, gzipSync(labels)],
          [`${part}-images-idx3-ubyte.gz`, gzipSync(images)],
        ] as const;
      }),
    );
    const server = await serve((request, response) => response.end(files.get(request.url!.slice(1))));
    const sha256 = Object.fromEntries(
      [...files].map(([name, bytes]) => [name, createHash('sha256').update(bytes).digest('hex')]),
    );
    const tasks = NETWORK_TASKS.filter(({ data }) => data === 'mnist');
    const { mnist } = await loadTaskData(tasks, {
      dataDir: join(empty, 'downloaded'),
      mirrors: [server.url],
      sha256,
    }).finally(() => server.close());
    // The first 8,000 of t10k, whatever the training part holds.
    expect([mnist!.count, new Set(mnist!.labels)]).toEqual([MNIST_COUNT, new Set([2])]);
  });

  it.skipIf(mnistDir === undefined)(
    'reads the first 8,000 images of t10k, on which a step lowers the loss',
    async () => {
      const data = await loadTaskData(NETWORK_TASKS, { dataDir: mnistDir });
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
