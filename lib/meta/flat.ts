import { metaParameterShapes } from '../optimizer/architecture';
import type { Architecture } from '../optimizer/architecture';
import { createWeights } from '../optimizer/weights';
import type { Weights, WeightsMetadata } from '../optimizer/weights';

/** The meta-parameters as one vector, in the order of `metaParameterShapes`. */
export function flatten(weights: Weights): Float64Array {
  return Float64Array.from([...weights.tensors.values()].flatMap((tensor) => Array.from(tensor)));
}

/** Length of that vector. */
export function metaParameterCount(architecture: Architecture): number {
  return metaParameterShapes(architecture).reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/**
 * Which entries of the flat vector belong to these meta-parameters.
 * @returns 1 where they do, else 0; undefined without names
 * @throws {RangeError} for a name that the architecture has not, with those that it has
 */
export function maskOf(architecture: Architecture, names: readonly string[] | undefined): Uint8Array | undefined {
  if (names === undefined) return undefined;
  const shapes = metaParameterShapes(architecture);
  const known = shapes.map(([name]) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(`frozen: expected names among ${known.join(', ')}, got ${unknown}`);
  }
  return Uint8Array.from(
    shapes.flatMap(([name, shape]) =>
      Array<number>(shape.reduce((a, b) => a * b, 1)).fill(Number(names.includes(name))),
    ),
  );
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
