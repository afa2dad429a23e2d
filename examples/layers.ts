/**
 * A tf.layers model trained with model.compile and model.fit: handwritten digits, 8×8 pixels, ten classes.
 * Run: npx tsx examples/layers.ts
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs'; // '@tensorflow/tfjs-node' is faster where it is installed
import { learnedOptimizer } from 'learned-optimizer/tfjs';

// 1,797 rows of 64 pixels (0–16) and a class; every fifth row tests.
const file = new URL('../data/digits/digits.csv.gz', import.meta.url);
const rows = gunzipSync(readFileSync(file))
  .toString()
  .trim()
  .split('\n')
  .map((row) => row.split(',').map(Number));
const tensors = (chosen: number[][]) => ({
  x: tf.tensor2d(chosen.map((row) => row.slice(0, 64).map((pixel) => pixel / 16))),
  y: tf
    .oneHot(
      chosen.map((row) => row[64]),
      10,
    )
    .toFloat(),
});
const train = tensors(rows.filter((_, i) => i % 5 !== 0));
const test = tensors(rows.filter((_, i) => i % 5 === 0));

const model = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [64], units: 32, activation: 'relu', kernelInitializer: 'heNormal' }),
    tf.layers.dense({ units: 10 }),
  ],
});

// No learning rate. The loss takes logits, which keeps it exact when it gets small.
model.compile({
  optimizer: learnedOptimizer(),
  loss: (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits),
  metrics: ['accuracy'],
});

await model.fit(train.x, train.y, {
  epochs: 20,
  batchSize: 64,
  verbose: 0,
  callbacks: {
    onEpochEnd: (epoch, logs) => {
      if (epoch % 5 === 4)
        console.log(`epoch ${epoch + 1}: loss ${logs!.loss.toFixed(4)}, accuracy ${logs!.acc.toFixed(3)}`);
    },
  },
});

const [loss, accuracy] = model.evaluate(test.x, test.y) as tf.Scalar[];
console.log(`test loss ${loss.dataSync()[0].toFixed(4)}, test accuracy ${accuracy.dataSync()[0].toFixed(3)}`);
