import type { CudaLibrary } from '../../bindings/index';
import { requireCudaLibrary } from './cudaLibrary';

/**
 * Numbers in single precision in memory of a CUDA device. The address is taken as it is: neither that it is device memory of the
 * optimizer's device nor that `length` numbers lie there can be checked, and a wrong one ends in the error `ERR_CUDA_LOST`
 * or in memory of something else.
 */
export interface DeviceTensor {
  /** Address of the first number, a multiple of 4, as CUDA tells it (`CUdeviceptr`, `data_ptr()` and the like). */
  readonly deviceAddress: bigint;
  /** How many numbers, 1 or more. */
  readonly length: number;
}

export function isDeviceTensor(value: unknown): value is DeviceTensor {
  return typeof value === 'object' && value !== null && 'deviceAddress' in value;
}

/**
 * Device memory of our own, for programs without another CUDA library. Made by `allocateDeviceArray`. Not freed at garbage
 * collection: others may hold its address.
 */
export class DeviceArray implements DeviceTensor {
  private freed = false;

  /** @internal */
  constructor(
    private readonly library: CudaLibrary,
    /** Number of the device. */
    readonly deviceIndex: number,
    private readonly address: bigint,
    readonly length: number,
  ) {}

  /** @throws Error after `free` */
  get deviceAddress(): bigint {
    if (this.freed) throw new Error('the device array was freed');
    return this.address;
  }

  /**
   * Copies `values` to the device, from the first number on, and waits until they are there.
   * @param stream a `cudaStream_t`: the copy comes after the work in it; default: the default stream
   * @throws RangeError when they are more than `length`
   */
  upload(values: Float32Array, stream?: bigint): void {
    requireFloats(values, this.length);
    this.library.upload(this.deviceIndex, this.deviceAddress, values, stream);
  }

  /**
   * Copies the first numbers into `target`, default a new array of `length`, and waits until they are there.
   * @param stream as with `upload`
   * @throws RangeError when `target` is longer
   */
  download(target: Float32Array = new Float32Array(this.length), stream?: bigint): Float32Array {
    requireFloats(target, this.length);
    this.library.download(this.deviceIndex, this.deviceAddress, target, stream);
    return target;
  }

  /** Gives the memory back. Safe to call twice. */
  free(): void {
    if (this.freed) return;
    this.library.free(this.deviceIndex, this.address);
    this.freed = true;
  }
}

function requireFloats(values: unknown, length: number): void {
  if (!(values instanceof Float32Array)) throw new TypeError('values: expected a Float32Array');
  if (values.length > length) {
    throw new RangeError(`values: expected a Float32Array of length ${length} at most, got ${values.length}`);
  }
}

/**
 * Allocates device memory for `length` numbers in single precision, or for as many as the array has, which is copied there.
 * @throws RangeError with `code` `ERR_CUDA_OUT_OF_MEMORY`; Error with `code` `ERR_CUDA_UNAVAILABLE` where CUDA cannot be used
 */
export function allocateDeviceArray(
  from: number | Float32Array,
  { deviceIndex = 0 }: { readonly deviceIndex?: number } = {},
): DeviceArray {
  const length = typeof from === 'number' ? from : from.length;
  if (!Number.isInteger(length) || length < 1) {
    throw new RangeError(`length: expected a whole number of at least 1, got ${length}`);
  }
  const library = requireCudaLibrary();
  const array = new DeviceArray(library, deviceIndex, library.allocate(deviceIndex, 4 * length), length);
  if (typeof from !== 'number') array.upload(from);
  return array;
}
