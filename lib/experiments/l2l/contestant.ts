import { createHash } from 'node:crypto';
import type { Contestant } from '../comparison/contestants';
import { l2l } from './optimizer';
import type { L2lWeights } from './weights';

/**
 * L2L with these weights in a comparison. It has no learning rate: the rate of a run is a factor of its steps, and 1 is the
 * optimizer as it was meta-trained. The name holds a hash of the weights, so that a cache never mistakes runs of others for
 * its own.
 */
export function l2lContestant(weights: L2lWeights): Contestant {
  const hash = createHash('sha256')
    .update(JSON.stringify({ units: weights.units }))
    .update(weights.values);
  return {
    name: `l2l-${hash.digest('hex').slice(0, 12)}`,
    title: `L2L (${weights.metadata.name})`,
    customaryRate: 1,
    make: (multiplier) => l2l({ weights, multiplier }),
  };
}
