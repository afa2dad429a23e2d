import { describe, expect, it } from 'vitest';
import type { LayersModel, Tensor } from '@tensorflow/tfjs';
import { MODELS } from '../../../examples/imagenet/models/index';
import { inceptionV3 } from '../../../examples/imagenet/models/inceptionV3';
import { resnetV2, resnetV2OfShape } from '../../../examples/imagenet/models/resnetV2';
import { loadBackend } from '../../../lib/tfjs/backend';

const { tf } = await loadBackend('cpu');

/** Parameters, without making them: of the declared shapes. */
function parameters(model: LayersModel): { total: number; trainable: number; tensors: number } {
  const count = (weights: LayersModel['weights']): number =>
    weights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape as number[]), 0);
  return {
    total: count(model.weights),
    trainable: count(model.trainableWeights),
    tensors: model.trainableWeights.length,
  };
}

const outputShape = (model: LayersModel, layer: string): unknown => model.getLayer(layer).outputShape;

describe('ImageNet networks as in Keras Applications', { timeout: 120_000 }, () => {
  it.each([
    [50, 25_613_800, 25_568_360],
    [101, 44_675_560, 44_577_896],
    [152, 60_380_648, 60_236_904],
  ] as const)('ResNet%iV2 has %i parameters, %i of them trainable', (depth, total, trainable) => {
    const model = resnetV2(tf, depth);
    expect(parameters(model)).toMatchObject({ total, trainable });
    expect(model.inputs[0].shape).toEqual([null, 224, 224, 3]);
    expect(outputShape(model, 'conv1_conv')).toEqual([null, 112, 112, 64]);
    expect(outputShape(model, 'conv2_block1_out')).toEqual([null, 56, 56, 256]);
    expect(outputShape(model, 'post_relu')).toEqual([null, 7, 7, 2048]);
    expect(model.outputs[0].shape).toEqual([null, 1000]);
    model.dispose();
  });

  it('Inception V3 has 23,851,784 parameters, 23,817,352 of them trainable', () => {
    const model = inceptionV3(tf);
    expect(parameters(model)).toMatchObject({ total: 23_851_784, trainable: 23_817_352 });
    expect(model.inputs[0].shape).toEqual([null, 299, 299, 3]);
    expect(outputShape(model, 'mixed0')).toEqual([null, 35, 35, 256]);
    expect(outputShape(model, 'mixed3')).toEqual([null, 17, 17, 768]);
    expect(outputShape(model, 'mixed8')).toEqual([null, 8, 8, 1280]);
    expect(outputShape(model, 'mixed10')).toEqual([null, 8, 8, 2048]);
    expect(model.outputs[0].shape).toEqual([null, 1000]);
    model.dispose();
  });

  it('take other sizes and numbers of classes down to the smallest, and normalise as Keras does', () => {
    const config = (model: LayersModel, layer: string): object => model.getLayer(layer).getConfig();
    const inception = MODELS.inceptionv3.build(tf, { size: MODELS.inceptionv3.smallest, classes: 10 });
    expect([inception.name, inception.inputs[0].shape[1]]).toEqual(['inceptionv3', 75]);
    expect(outputShape(inception, 'mixed10')).toEqual([null, 1, 1, 2048]);
    expect(inception.outputs[0].shape).toEqual([null, 10]);
    expect(config(inception, 'batch_normalization_94')).toMatchObject({ momentum: 0.99, epsilon: 1e-3, scale: false });
    expect(config(inception, 'conv2d_94')).toMatchObject({ useBias: false });
    inception.dispose();

    const resnet = MODELS.resnet50v2.build(tf, { size: MODELS.resnet50v2.smallest, classes: 10 });
    expect([resnet.name, resnet.inputs[0].shape[1]]).toEqual(['resnet50v2', 32]);
    expect(outputShape(resnet, 'post_relu')).toEqual([null, 1, 1, 2048]);
    expect(parameters(resnet).tensors).toBe(174);
    expect(config(resnet, 'post_bn')).toMatchObject({ momentum: 0.99, epsilon: 1.001e-5, scale: true });
    resnet.dispose();
  });
});

describe('heads, initial weights and backends', () => {
  const tiny = (options = {}): LayersModel =>
    resnetV2OfShape(tf, { blocks: [2, 2], filters: 4 }, { size: 32, classes: 5, ...options });
  const x = tf.randomNormal([2, 32, 32, 3], 0, 1, 'float32', 7);

  it('softmax is the softmax of the logits, and a seed gives the same weights', () => {
    const run = (model: LayersModel): number[][] => (model.predict(x) as Tensor).arraySync() as number[][];
    const [logits, again, other] = [
      tiny({ head: 'logits' }),
      tiny({ head: 'logits' }),
      tiny({ head: 'logits', seed: 2 }),
    ];
    const probabilities = run(tiny());
    const expected = tf.softmax(tf.tensor2d(run(logits))).arraySync() as number[][];
    probabilities.forEach((row, i) => row.forEach((p, j) => expect(p).toBeCloseTo(expected[i][j], 5)));
    expect(run(again)).toEqual(run(logits));
    expect(run(other)).not.toEqual(run(logits));
  });

  it.each([
    [() => inceptionV3(tf, { size: 74 }), /size: expected a whole number of at least 75 pixels.*got 74/],
    [() => resnetV2(tf, 50, { size: 31 }), /size: expected a whole number of at least 32/],
    [() => resnetV2(tf, 34 as never), /depth: expected 50, 101, 152, got 34/],
    [() => tiny({ classes: 1 }), /classes: .* at least 2, got 1/],
    [() => tiny({ seed: 0 }), /seed: .* at least 1, got 0/],
    [() => tiny({ head: 'sigmoid' }), /head: expected 'softmax' or 'logits', got "sigmoid"/],
    [() => resnetV2OfShape(tf, { blocks: [2, 1], filters: 4 }), /blocks: expected at least 2 per stage, got \[2, 1\]/],
  ])('refuse wrong options: %#', (build, message) => {
    expect(build).toThrow(message);
  });

  it('predict on wasm what they predict on cpu', async () => {
    const model = MODELS['tiny-resnetv2'].build(tf, { classes: 3 });
    const onCpu = await (model.predict(x) as Tensor).data();
    await loadBackend('wasm');
    const onWasm = await (model.predict(x) as Tensor).data();
    await tf.setBackend('cpu');
    onWasm.forEach((value, i) => expect(value).toBeCloseTo(onCpu[i], 4));
  });
});
