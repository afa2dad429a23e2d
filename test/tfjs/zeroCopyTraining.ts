import { createHash } from 'node:crypto';
import type { NamedTensorMap } from '@tensorflow/tfjs-core';
import { loadBackend } from '../../lib/tfjs/backend';
import { learnedOptimizer } from '../../lib/tfjs/index';
import { createRandom } from '../../lib/random';

const SHAPES = [[300, 150], [40], []];

/** Trains on tfjs-node with gradients that kernels made; a hash of the parameters. */
export async function train(zeroCopy: boolean, steps: number): Promise<string> {
  const { tf } = await loadBackend('node');
  const random = createRandom(1);
  const normal = (shape: number[]) =>
    tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal()),
      shape,
    );
  const variables = SHAPES.map((shape) => tf.tidy(() => tf.variable(normal(shape))));
  const optimizer = learnedOptimizer({ zeroCopy, threads: 1 });
  for (let step = 0; step < steps; step++) {
    tf.tidy(() => {
      const gradients = variables.map((v) => [v.name, tf.mul(normal(v.shape), 0.5)] as const);
      optimizer.applyGradients(Object.fromEntries(gradients) as unknown as NamedTensorMap);
    });
  }
  const hash = createHash('sha256');
  for (const variable of variables) hash.update(variable.dataSync());
  tf.dispose(variables);
  optimizer.dispose();
  return hash.digest('hex');
}
