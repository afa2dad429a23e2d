/**
 * A training loop of your own with optimizer.minimize: a small network learns one period of a sine.
 * Run: npx tsx examples/custom-loop.ts
 */
import * as tf from '@tensorflow/tfjs'; // '@tensorflow/tfjs-node' is faster where it is installed
import { learnedOptimizer } from 'learned-optimizer/tfjs';

const x = tf.linspace(-Math.PI, Math.PI, 200).reshape([200, 1]) as tf.Tensor2D;
const y = x.sin();

const hidden = 24;
const w1 = tf.variable(tf.randomNormal([1, hidden], 0, 1, 'float32', 1));
const b1 = tf.variable(tf.randomUniform([hidden], -2, 2, 'float32', 2));
const w2 = tf.variable(tf.randomNormal([hidden, 1], 0, 1 / Math.sqrt(hidden), 'float32', 3));
const b2 = tf.variable(tf.zeros([1]));

const predict = (input: tf.Tensor2D): tf.Tensor2D => input.matMul(w1).add(b1).tanh().matMul(w2).add(b2);
const loss = (): tf.Scalar => tf.losses.meanSquaredError(y, predict(x)) as tf.Scalar;

const optimizer = learnedOptimizer();
for (let step = 0; step <= 600; step++) {
  // minimize computes the gradients of all variables that the loss uses, and updates them.
  const value = optimizer.minimize(loss, true)!;
  if (step % 150 === 0) console.log(`step ${step}: mean squared error ${value.dataSync()[0].toExponential(2)}`);
  value.dispose();
}

const quarter = predict(tf.tensor2d([[Math.PI / 2]]))
  .dataSync()[0]
  .toFixed(3);
console.log(`sin(π/2) is predicted as ${quarter}`);
optimizer.dispose();
