import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';

const addon = fileURLToPath(
  new URL('../../node_modules/@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node', import.meta.url),
);

/**
 * Whether tfjs-node is there. Without it its tests are skipped, and say so; with `REQUIRE_TFJS_NODE=1` its absence is a
 * failure.
 */
export const hasTfjsNode = existsSync(addon);
export const requiresTfjsNode = process.env['REQUIRE_TFJS_NODE'] === '1';
export const TFJS_NODE_HINT = 'tfjs-node is not installed: npm run setup:tfjs-node';

/** In the place of tests on tfjs-node where it is not there: says so, or fails where it is required. */
export function describeMissingTfjsNode(subject: string): void {
  describe(subject, () => {
    if (requiresTfjsNode) {
      it('is tested on the real tfjs-node', () => {
        throw new Error(TFJS_NODE_HINT);
      });
    } else {
      it.skip(`(skipped: ${TFJS_NODE_HINT})`, () => {});
    }
  });
}
