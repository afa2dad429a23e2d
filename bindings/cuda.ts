import { loadAddon } from './load';
import type { CudaDevice } from './types';

interface CudaAddon {
  cudaDevices(library: string): CudaDevice[];
  cudaAllocate(library: string, device: number, bytes: number): bigint;
  cudaFree(library: string, device: number, address: bigint): void;
  cudaUpload(
    library: string,
    device: number,
    address: bigint,
    from: Float32Array,
    length: number,
    stream?: bigint,
  ): void;
  cudaDownload(
    library: string,
    device: number,
    address: bigint,
    to: Float32Array,
    length: number,
    stream?: bigint,
  ): void;
  cudaSynchronize(library: string, device: number, stream?: bigint): void;
}

/**
 * CUDA by the library at a path. All methods throw errors with a `code` (`CudaErrorCode`).
 * Addresses are handed to CUDA as they are: that they are device memory cannot be checked.
 */
export class CudaLibrary {
  private readonly addon = loadAddon() as CudaAddon;

  constructor(readonly path: string) {}

  /** @throws Error that says why there is none */
  devices(): CudaDevice[] {
    return this.addon.cudaDevices(this.path);
  }

  allocate(device: number, bytes: number): bigint {
    return this.addon.cudaAllocate(this.path, device, bytes);
  }

  free(device: number, address: bigint): void {
    this.addon.cudaFree(this.path, device, address);
  }

  /** Returns when all of `from` is on the device. */
  upload(device: number, address: bigint, from: Float32Array, stream?: bigint): void {
    this.addon.cudaUpload(this.path, device, address, from, from.length, stream);
  }

  /** Fills `to`. */
  download(device: number, address: bigint, to: Float32Array, stream?: bigint): void {
    this.addon.cudaDownload(this.path, device, address, to, to.length, stream);
  }

  /** Waits for the work in a stream; default: the default stream. */
  synchronize(device: number, stream?: bigint): void {
    this.addon.cudaSynchronize(this.path, device, stream);
  }
}
