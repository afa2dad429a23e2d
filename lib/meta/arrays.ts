import type { RunningArray } from '../problems/lanes/family';
import type { SafetensorsData, SafetensorsTensor } from '../safetensors';

const ARRAYS = { Float32Array, Float64Array, Int32Array, Uint8Array } as const;

/** An array as a tensor of a safetensors file. Whole numbers are stored as doubles; the tensor's name ends with its type. */
export function toTensor(name: string, array: RunningArray): [string, SafetensorsTensor] {
  const data = array instanceof Float32Array ? array : Float64Array.from(array);
  return [`${name}:${array.constructor.name}`, { shape: [data.length], data }];
}

/**
 * The array of a tensor, and its name without the type.
 * @throws {RangeError} if the name does not end with a known type
 */
export function fromTensor(label: string, data: SafetensorsData): { name: string; array: RunningArray } {
  const at = label.lastIndexOf(':');
  const type = label.slice(at + 1);
  if (!Object.hasOwn(ARRAYS, type) || data instanceof BigInt64Array) {
    throw new RangeError(
      `tensor '${label}': expected a name that ends with one of :${Object.keys(ARRAYS).join(', :')}, got :${type}`,
    );
  }
  const Type = ARRAYS[type as keyof typeof ARRAYS];
  return { name: label.slice(0, at), array: data instanceof Type ? data : Type.from(data) };
}
