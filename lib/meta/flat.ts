import { metaParameterShapes } from '../optimizer/architecture';
import type { Architecture } from '../optimizer/architecture';
import { createWeights } from '../optimizer/weights';
import type { Weights, WeightsMetadata } from '../optimizer/weights';

/** The meta-parameters as one vector, in the order of `metaParameterShapes`. */
export function flatten(weights: Weights): Float64Array {
  return Float64Array.from([...weights.tensors.values()].flatMap((tensor) => Array.from(tensor)));
}

/** Weights in single precision from one vector. */
export function unflatten(architecture: Architecture, flat: Float64Array, metadata: WeightsMetadata): Weights {
  const tensors = new Map<string, Float32Array>();
  let offset = 0;
  for (const [name, shape] of metaParameterShapes(architecture)) {
    const size = shape.reduce((a, b) => a * b, 1);
    tensors.set(name, Float32Array.from(flat.subarray(offset, offset + size)));
    offset += size;
  }
  return createWeights(architecture, tensors, metadata);
}
