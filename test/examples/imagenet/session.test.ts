import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LayersModel, Optimizer } from '@tensorflow/tfjs';
import { openSource } from '../../../examples/imagenet/data/source';
import type { ImageSource } from '../../../examples/imagenet/data/source';
import { rankOf } from '../../../examples/imagenet/training/evaluate';
import { makeOptimizer } from '../../../examples/imagenet/training/optimizers';
import type { OptimizerChoice } from '../../../examples/imagenet/training/optimizers';
import { trainImageModel } from '../../../examples/imagenet/training/session';
import type { SessionOptions, SessionResult } from '../../../examples/imagenet/training/session';
import { TensorFile } from '../../../examples/imagenet/training/tensorFile';
import { loadBackend } from '../../../lib/tfjs/backend';
import { write, writeImageFolder } from './images';

const { tf } = await loadBackend('cpu');
const dir = mkdtempSync(join(tmpdir(), 'imagenet-session-'));
afterAll(() => rmSync(dir, { recursive: true }));

const SIZE = 12;
let source: ImageSource;
beforeAll(async () => {
  writeImageFolder(join(dir, 'images'), 6);
  source = await openSource(join(dir, 'images'));
});

/** With batch normalisation, whose running means are state, too. */
function network(classes = 2): LayersModel {
  const { layers, initializers } = tf;
  return tf.sequential({
    layers: [
      layers.conv2d({
        ...{ inputShape: [SIZE, SIZE, 3], filters: 4, kernelSize: 4, strides: 4, name: 'conv' },
        kernelInitializer: initializers.heNormal({ seed: 1 }),
      }),
      layers.batchNormalization({ name: 'bn' }),
      layers.reLU(),
      layers.globalAveragePooling2d({}),
      layers.dense({ units: classes, kernelInitializer: initializers.glorotUniform({ seed: 2 }), name: 'logits' }),
    ],
  });
}

const LEARNED: OptimizerChoice = { name: 'learned' };

function session(folder: string, choice: OptimizerChoice, overrides: Partial<SessionOptions> = {}) {
  const model = network();
  const optimizer: Optimizer = makeOptimizer(tf, choice);
  const finished = trainImageModel({
    ...{ tf, model, optimizer, source },
    folder: join(dir, folder),
    resume: false,
    identity: { optimizer: choice.name },
    steps: 7,
    batchSize: 4,
    seed: 1,
    augmentation: 'full',
    centreShare: 0.875,
    skipDamaged: false,
    workers: 1,
    prefetch: 2,
    evaluateEvery: 3,
    logEvery: 2,
    checkpointSeconds: 1000,
    ...overrides,
  }).finally(() => {
    model.dispose();
    optimizer.dispose();
  });
  return finished;
}

const checkpoint = (folder: string): Buffer => readFileSync(join(dir, folder, 'checkpoint.safetensors'));

/** The log without the times. */
const log = (folder: string): object[] =>
  readFileSync(join(dir, folder, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), fit_ms: 0, wait_ms: 0 }));

/** Runs until `step`, is aborted there, and goes on. */
async function interrupted(folder: string, choice: OptimizerChoice, step: number): Promise<SessionResult> {
  const controller = new AbortController();
  const stop = new Error('stopped');
  const first = session(folder, choice, {
    signal: controller.signal,
    onStep: (progress) => progress.step === step && controller.abort(stop),
  });
  await expect(first).rejects.toBe(stop);
  return session(folder, choice, { resume: true, workers: 2, prefetch: 3 });
}

describe('a run', { timeout: 60_000 }, () => {
  it.each([
    LEARNED,
    { name: 'adam', learningRate: 0.01 },
    { name: 'rmsprop', learningRate: 0.01 },
    { name: 'momentum', learningRate: 0.01 },
  ] as OptimizerChoice[])('of $name that was stopped goes on bit for bit', async (choice) => {
    const { name } = choice;
    const whole = await session(`${name}-whole`, choice);
    // After step 3 an evaluation is due, which the abort prevents. After step 5 Adam's 0.999⁵ has a rounding error.
    const resumed = await interrupted(`${name}-stopped`, choice, name === 'adam' ? 5 : 3);
    expect(resumed.evaluation).toEqual(whole.evaluation);
    expect(log(`${name}-stopped`)).toEqual(log(`${name}-whole`));
    const [a, b] = [`${name}-stopped`, `${name}-whole`].map(
      (folder) => new TensorFile(join(dir, folder, 'checkpoint.safetensors')),
    );
    // Names of variables count up within a process.
    const values = (file: TensorFile): unknown[] => file.names.map((tensor) => file.read(tensor));
    expect(values(a)).toEqual(values(b));
    expect(a.metadata['position']).toEqual(b.metadata['position']);
    a.close();
    b.close();
  });

  it('reports losses, evaluation and times, and leaves no other files', async () => {
    const before = tf.memory().numTensors;
    const result = await session('report', LEARNED, { steps: 24, evaluateEvery: 100 });
    expect(tf.memory().numTensors).toBe(before);
    expect(result).toMatchObject({ step: 24, skipped: 0, evaluation: { step: 24, images: 12, top5: 1 } });
    // Red and blue are easily told apart.
    expect(result.loss).toBeLessThan(0.7);
    expect(result.stepMs!.step).toBeGreaterThanOrEqual(result.stepMs!.fit);
    expect(readdirSync(join(dir, 'report')).sort()).toEqual(['checkpoint.safetensors', 'log.jsonl', 'tensorboard']);
    expect(readdirSync(join(dir, 'report', 'tensorboard'))).toHaveLength(1);
  });

  it('with nothing left to do gives its last evaluation; more steps prolong it', async () => {
    const first = await session('prolonged', LEARNED, { steps: 3 });
    const again = await session('prolonged', LEARNED, { steps: 3, resume: true });
    expect(again).toEqual({ ...first, loss: null, stepMs: null });
    await session('prolonged', LEARNED, { resume: true });
    expect(log('prolonged')).toEqual(log('learned-whole'));
  });

  it('drops from the log what a killed run logged after its checkpoint', async () => {
    await session('killed', LEARNED, { steps: 4 });
    const path = join(dir, 'killed', 'log.jsonl');
    writeFileSync(path, `${readFileSync(path, 'utf8')}${JSON.stringify({ step: 6, loss: 99 })}\n{"step":`);
    await session('killed', LEARNED, { resume: true });
    expect(log('killed').filter((line) => (line as { loss?: number }).loss === 99)).toEqual([]);
  });

  it('refuses the checkpoint of another run and leaves it alone', async () => {
    await session('mine', LEARNED, { steps: 1 });
    const before = checkpoint('mine');
    const other = session('mine', { name: 'adam', learningRate: 0.01 }, { resume: true });
    await expect(other).rejects.toThrow(/made with optimizer learned, now adam: give the same options/);
    const wider = session('mine', LEARNED, { resume: true, model: network(3) });
    await expect(wider).rejects.toThrow(/logits\/kernel has shape \[4, 2\], expected \[4, 3\]/);
    expect(checkpoint('mine').equals(before)).toBe(true);
    write(join(dir, 'mine', 'checkpoint.safetensors'), before.subarray(0, before.length - 8));
    await expect(session('mine', LEARNED, { resume: true })).rejects.toThrow(
      /checkpoint\.safetensors: expected a safetensors file, but tensor .* does not fit/,
    );
  });

  it('stops when the loss is no longer finite, its checkpoint untouched', async () => {
    const choice: OptimizerChoice = { name: 'momentum', learningRate: 1e30 };
    await session('diverged', choice, { steps: 1 });
    const before = checkpoint('diverged');
    await expect(session('diverged', choice, { resume: true })).rejects.toThrow(/the loss of step \d is .*diverged/);
    expect(checkpoint('diverged').equals(before)).toBe(true);
  });

  it('counts the damaged images it left out', async () => {
    const images = join(dir, 'damaged');
    writeImageFolder(images, 4);
    write(join(images, 'train', 'red', '001.JPEG'), 'no image');
    const damaged = await openSource(images);
    await expect(session('stops', LEARNED, { source: damaged, steps: 2 })).rejects.toThrow(
      /001\.JPEG: expected a JPEG/,
    );
    const { skipped } = await session('skips', LEARNED, { source: damaged, steps: 4, skipDamaged: true });
    // Two epochs of two steps.
    expect(skipped).toBe(2);
  });
});

describe('rankOf', () => {
  it('counts the more likely classes', () => {
    const logits = [0, 9, 3, 3, NaN, 1, 1, 1];
    expect([0, 1, 2].map((label) => rankOf(logits, 0, 3, label))).toEqual([2, 0, 1]);
    // Equal ones in the order of the classes, and what is not a number last.
    expect([0, 1, 2].map((label) => rankOf(logits, 5, 3, label))).toEqual([0, 1, 2]);
    expect(rankOf(logits, 2, 3, 2)).toBe(3);
  });
});
