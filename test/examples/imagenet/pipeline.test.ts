import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { evaluationOrder, TrainingOrder } from '../../../examples/imagenet/data/order';
import type { BatchPlan } from '../../../examples/imagenet/data/order';
import { ImagePool } from '../../../examples/imagenet/data/pool';
import type { Batch, PoolOptions } from '../../../examples/imagenet/data/pool';
import { openSource } from '../../../examples/imagenet/data/source';
import type { ImageSet } from '../../../examples/imagenet/data/source';
import { jpeg, write, writeIdxFolder, writeImageFolder } from './images';

const dir = mkdtempSync(join(tmpdir(), 'imagenet-pipeline-'));
afterAll(() => rmSync(dir, { recursive: true }));

const folder = join(dir, 'photos');
writeImageFolder(folder, 6);

const options = (sets: readonly ImageSet[]): PoolOptions => ({
  sets,
  size: 16,
  augmentation: 'full',
  centreShare: 0.875,
  skipDamaged: false,
  workers: 1,
});

/** All batches of the plans. */
async function collect(poolOptions: PoolOptions, plans: Iterable<BatchPlan>, prefetch = 3): Promise<Batch[]> {
  const pool = new ImagePool(poolOptions);
  try {
    const batches: Batch[] = [];
    for await (const batch of pool.stream(0, plans, prefetch)) batches.push(batch);
    return batches;
  } finally {
    await pool.close();
  }
}

const plans = (order: TrainingOrder, from: number, to: number): BatchPlan[] =>
  Array.from({ length: to - from }, (_, i) => order.batch(from + i));

describe('the order of training images', () => {
  it('visits every image once per epoch, each epoch in another order', () => {
    const order = new TrainingOrder(1, 12, 4);
    const epoch = (e: number): number[] => plans(order, 3 * e, 3 * e + 3).flatMap(({ indices }) => [...indices]);
    expect([...epoch(0)].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect([...epoch(1)].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(epoch(1)).not.toEqual(epoch(0));
    // From the seed and the step alone.
    expect(new TrainingOrder(1, 12, 4).batch(4)).toEqual(order.batch(4));
    expect(new TrainingOrder(2, 12, 4).batch(4)).not.toEqual(order.batch(4));
  });

  it('needs a whole batch', () => {
    expect(() => new TrainingOrder(1, 3, 4)).toThrow(
      /batch size: .* from 1 to 3, the number of training images, got 4/,
    );
  });

  it('evaluates a limited number of images spread over all', () => {
    expect(evaluationOrder(10, 4).map(({ indices }) => indices.length)).toEqual([4, 4, 2]);
    expect(evaluationOrder(10, 4, 5).flatMap(({ indices }) => [...indices])).toEqual([0, 2, 4, 6, 8]);
  });
});

describe('the input pipeline', () => {
  it('gives the same batches in the same order whatever the number of threads', async () => {
    const { train, classes } = await openSource(folder);
    expect(classes).toEqual(['blue', 'red']);
    const order = new TrainingOrder(3, train.labels.length, 4);
    const one = await collect(options([train]), plans(order, 0, 6), 1);
    const three = await collect({ ...options([train]), workers: 3 }, plans(order, 0, 6), 5);
    expect(one).toHaveLength(6);
    expect(three).toEqual(one);
    // Another epoch cuts the images in another way; red images stay redder than blue.
    expect(one[0].images).not.toEqual(one[3].images);
    for (const { images, labels, count } of one) {
      expect(images).toHaveLength(count * 16 * 16 * 3);
      labels.forEach((label, i) => {
        let redness = 0;
        for (let j = 0; j < 256; j++) redness += images[(i * 256 + j) * 3] - images[(i * 256 + j) * 3 + 2];
        expect(redness > 0).toBe(label === 1);
      });
    }
  });

  it('continues at any step as if it had not stopped', async () => {
    const { train } = await openSource(folder);
    const order = new TrainingOrder(3, train.labels.length, 5);
    const whole = await collect(options([train]), plans(order, 0, 4));
    const rest = await collect(options([train]), plans(new TrainingOrder(3, train.labels.length, 5), 2, 4));
    expect(rest).toEqual(whole.slice(2));
  });

  it('makes no more batches ahead than it may', async () => {
    const { train } = await openSource(folder);
    const order = new TrainingOrder(3, train.labels.length, 2);
    let asked = 0;
    function* counted(): Generator<BatchPlan> {
      for (;;) yield order.batch(asked++);
    }
    const pool = new ImagePool(options([train]));
    const stream = pool.stream(0, counted(), 3);
    for (let read = 1; read <= 4; read++) {
      await stream.next();
      expect(asked).toBe(read + 2);
    }
    await pool.close();
    await expect(pool.batch(0, order.batch(0))).rejects.toThrow(/has been closed/);
  });

  it('cuts the centre to evaluate, and leaves nothing out', async () => {
    const { evaluation } = await openSource(folder);
    const [batch, last] = await collect(options([evaluation!]), evaluationOrder(12, 8));
    expect([batch.count, last.count]).toEqual([8, 4]);
    expect([...batch.labels]).toEqual([0, 0, 0, 0, 0, 0, 1, 1]);
    const again = await collect({ ...options([evaluation!]), augmentation: 'none' }, evaluationOrder(12, 8));
    expect(again).toEqual([batch, last]);
  });

  it('names a damaged file, or leaves it out and says so', async () => {
    const damaged = join(dir, 'damaged');
    writeImageFolder(damaged, 2);
    const bad = join(damaged, 'train', 'red', '000.jpg');
    write(bad, jpeg(64, 64, (x, y) => [x * 4, y * 4, (x * y) % 255]).subarray(0, 900));
    const { train } = await openSource(damaged);
    const all = evaluationOrder(4, 4);
    await expect(collect(options([train]), all)).rejects.toThrow(`${bad}: damaged JPEG image`);
    const [batch] = await collect({ ...options([train]), skipDamaged: true }, all);
    expect([batch.count, [...batch.labels]]).toEqual([3, [0, 0, 1]]);
    expect(batch.skipped).toEqual([expect.stringContaining(bad)]);
    expect(batch.images).toHaveLength(3 * 16 * 16 * 3);
    const only = [{ indices: Int32Array.of(2), seeds: undefined }];
    await expect(collect({ ...options([train]), skipDamaged: true }, only)).rejects.toThrow(/no image of a batch/);
  });

  it('scales up idx images, grey as RGB', async () => {
    const mnist = join(dir, 'idx');
    writeIdxFolder(mnist, 10);
    const source = await openSource(mnist);
    expect(source).toMatchObject({ kind: 'idx', classes: ['0', '1', '2'] });
    expect([source.train.labels.length, source.evaluation!.labels.length]).toEqual([8, 2]);
    const [batch] = await collect(
      { ...options([source.train]), augmentation: 'none', centreShare: 1 },
      evaluationOrder(8, 8),
    );
    batch.labels.forEach((label, i) => {
      // Rows of two pixels now; the brightest are those that tell the class.
      const row = (y: number): number => batch.images[(i * 256 + y * 16 + 8) * 3];
      const brightest = Array.from({ length: 16 }, (_, y) => row(y)).reduce((a, v, y, r) => (v > r[a] ? y : a), 0);
      expect(brightest >> 1).toBe(1 + 2 * label);
      for (let j = 0; j < 256; j++) {
        const [r, g, b] = batch.images.subarray((i * 256 + j) * 3);
        expect(g === r && b === r && r >= -1 && r <= 1).toBe(true);
      }
    });
  });

  it('refuses options that cannot work', async () => {
    const { train } = await openSource(folder);
    expect(() => new ImagePool({ ...options([train]), workers: 0 })).toThrow(/workers: .* at least 1, got 0/);
    await expect(collect(options([train]), [], 0)).rejects.toThrow(/prefetch: .* at least 1, got 0/);
  });
});
