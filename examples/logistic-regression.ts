/**
 * No TensorFlow: logistic regression on plain Float32Arrays, with the gradient written out.
 * Run: npx tsx examples/logistic-regression.ts
 */
import { createOptimizer } from 'learned-optimizer';

// Two overlapping clouds of points in ten dimensions, around −0.4 and +0.4 in every one.
const count = 2000;
const dimensions = 10;
let state = 1;
const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
const normal = (): number => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
const labels = Array.from({ length: count }, (_, i) => i % 2);
const points = labels.map((label) => Array.from({ length: dimensions }, () => normal() + (label ? 0.4 : -0.4)));

const weights = new Float32Array(dimensions);
const bias = new Float32Array(1);
const gradients = { weights: new Float32Array(dimensions), bias: new Float32Array(1) };

const probability = (point: number[]): number =>
  1 / (1 + Math.exp(-point.reduce((sum, value, i) => sum + value * weights[i], bias[0])));

/** Mean cross entropy; its gradient goes to `gradients`. */
function lossAndGradient(): number {
  gradients.weights.fill(0);
  gradients.bias.fill(0);
  let loss = 0;
  points.forEach((point, n) => {
    const p = probability(point);
    loss -= Math.log(labels[n] ? p : 1 - p) / count;
    const error = (p - labels[n]) / count;
    point.forEach((value, i) => (gradients.weights[i] += error * value));
    gradients.bias[0] += error;
  });
  return loss;
}

// The optimizer keeps these arrays and updates them in place.
const optimizer = createOptimizer({ weights, bias });
for (let step = 0; step <= 200; step++) {
  const loss = lossAndGradient();
  if (step % 50 === 0) console.log(`step ${step}: loss ${loss.toFixed(5)}`);
  optimizer.step(gradients);
}
const correct = points.filter((point, n) => probability(point) > 0.5 === (labels[n] === 1)).length;
console.log(`accuracy ${(correct / count).toFixed(3)}`);
optimizer.dispose();
