import { describe, expect, it } from 'vitest';
import { inceptionV3 } from '../../../examples/imagenet/models/inceptionV3';
import { loadBackend } from '../../../lib/tfjs/backend';
import { hasTfjsNode, requiresTfjsNode, TFJS_NODE_HINT } from '../../tfjs/tfjsNode';

if (!hasTfjsNode && !requiresTfjsNode) {
  it.skip(`Inception V3 trains (skipped: ${TFJS_NODE_HINT})`, () => {});
} else {
  const { tf } = await loadBackend('node');

  describe('Inception V3 on tfjs-node', { timeout: 120_000 }, () => {
    // TensorFlow.js cannot train its own batch normalisation without scale.
    it('trains every weight, and its running means and variances', async () => {
      const model = inceptionV3(tf, { size: 75, classes: 3, head: 'logits' });
      model.compile({ optimizer: tf.train.sgd(0.01), loss: (y, logits) => tf.losses.softmaxCrossEntropy(y, logits) });
      const norms = (): number[] =>
        tf
          .tidy(() =>
            tf.stack(model.getWeights().map((w) => w.mul(tf.cos(tf.range(0, w.size)).reshape(w.shape)).sum())),
          )
          .arraySync() as number[];
      const before = norms();
      const x = tf.randomUniform([2, 75, 75, 3], -1, 1, 'float32', 3);
      const loss = (await model.trainOnBatch(x, tf.tensor2d([1, 0, 0, 0, 0, 1], [2, 3]))) as number;
      expect(loss).toBeGreaterThan(0);
      const after = norms();
      expect(after).toHaveLength(95 + 94 + 94 * 2 + 1);
      const unchanged = model.weights
        .filter((_, i) => !(Math.abs(after[i] - before[i]) > 0))
        .map((w) => w.originalName);
      expect(unchanged).toEqual([]);
    });
  });
}
