/**
 * stepAsync computes on native threads: timers, sockets and requests of the process go on meanwhile.
 * Run: npx tsx examples/async-step.ts
 */
import { createOptimizer } from 'learned-optimizer';

// Two million parameters pulled towards 1: ½·mean (x − 1)².
const size = 2_000_000;
const x = new Float32Array(size);
const gradient = new Float32Array(size);
const loss = (): number => x.reduce((sum, value) => sum + (value - 1) ** 2, 0) / size / 2;
const computeGradient = (): void => {
  for (let i = 0; i < size; i++) gradient[i] = (x[i] - 1) / size;
};

const optimizer = createOptimizer([x], { initialLearningRate: 1e-2 });
const before = loss();

// What a server would do while a model trains: something every millisecond.
let ticks = 0;
const timer = setInterval(() => ticks++, 1);
let stepping = 0;
for (let step = 0; step < 20; step++) {
  computeGradient();
  const started = performance.now();
  // The gradient may be reused at once; x is updated when the promise resolves.
  await optimizer.stepAsync([gradient]);
  stepping += performance.now() - started;
}
clearInterval(timer);

console.log(`20 steps of ${size.toLocaleString('en')} parameters: ${(stepping / 20).toFixed(1)} ms each`);
console.log(`the timer fired ${ticks} times meanwhile`);
console.log(`loss ${before.toFixed(4)} -> ${loss().toFixed(4)}`);
optimizer.dispose();
