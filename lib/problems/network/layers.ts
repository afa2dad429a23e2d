import type { Activation } from '../dense';
import { ActivationLayer } from './activationLayer';
import { DenseLayer, type StartRule } from './denseLayer';
import type { Layer } from './layer';
import { SparseDenseLayer } from './sparseDenseLayer';

/**
 * Dense layers with an activation between each two.
 * @param sizes values per row from the input to the output, at least two.
 */
export function denseLayers(sizes: readonly number[], activation: Activation, start: StartRule): Layer[] {
  return sizes.slice(1).flatMap((outputs, i) => {
    const dense = new (i === 0 ? SparseDenseLayer : DenseLayer)(sizes[i], outputs, start);
    return i < sizes.length - 2 ? [dense, new ActivationLayer(outputs, activation)] : [dense];
  });
}
