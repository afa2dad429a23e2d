import { join } from 'node:path';
import { packageRoot } from '../../packageRoot';
import { readL2lWeights, type L2lWeights } from './weights';

/**
 * The weights in `data/`, meta-trained by `scripts/train-l2l.ts`. They are no preset: those are of the package's own optimizer.
 */
export function shippedL2lWeights(): L2lWeights {
  return readL2lWeights(join(packageRoot, 'data', 'l2l.safetensors'));
}
