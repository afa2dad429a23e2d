import { CudaLibrary } from '../../bindings/index';
import { cudaPlace } from './cudaLibrary';
import { isDeviceTensor } from './deviceMemory';
import type { DeviceTensor } from './deviceMemory';
import type { StepReport } from './engine';
import { resolveOptions } from './options';
import type { OptimizerOptions } from './options';
import { describe, OptimizerCore } from './optimizerCore';
import type { Entry, GradientSet, ParameterSet } from './optimizerCore';

/**
 * An optimizer over parameters in memory of a CUDA device, updated in place there. Made by `createOptimizer` with
 * `device: 'cuda'`. Gradients are device memory too.
 * @typeParam P the form of the parameters on the host: a list, or a record by name
 */
export class DeviceOptimizer<
  P extends Float32Array[] | Record<string, Float32Array> = Float32Array[] | Record<string, Float32Array>,
> extends OptimizerCore<DeviceTensor> {
  private readonly library: CudaLibrary;

  /** @internal Use `createOptimizer`. */
  constructor(parameters: ParameterSet<DeviceTensor>, options?: OptimizerOptions) {
    const resolved = resolveOptions(options);
    if (resolved.device !== 'cuda') {
      throw new RangeError("device: expected 'cuda' with parameters in device memory, got 'cpu'");
    }
    const entries = checkTensors(parameters);
    const place = cudaPlace(resolved)!;
    super(!Array.isArray(parameters), entries, resolved, { cuda: place });
    this.library = new CudaLibrary(place.library);
  }

  /** @internal */
  protected override requireFit({ name, length }: Entry<DeviceTensor>, gradient: DeviceTensor): void {
    requireTensor(`gradients.${name}`, gradient);
    if (gradient.length !== length) {
      throw new RangeError(`gradients.${name}: expected a tensor of length ${length}, got ${gradient.length}`);
    }
  }

  /**
   * Puts a step into a stream and returns without waiting: the gradients must stay as they are until the stream has come past
   * it. All steps of an optimizer belong into one stream, or into streams that you order.
   *
   * Coordinates whose gradient is NaN or infinite are left alone, state and parameter, and counted in the report.
   * @param stream a `cudaStream_t` as a number; default: the default stream
   * @returns the number of steps done, this one included; `report()` has the rest
   * @throws TypeError or RangeError naming the argument when tensors do not fit; nothing has changed then. That an address is
   * one of device memory cannot be checked
   */
  step(gradients: GradientSet<DeviceTensor>, { stream }: { readonly stream?: bigint } = {}): number {
    return this.withGradients(gradients, (updates) =>
      this.engine.stepOnDevice(updates, this.hyperparameters(), stream),
    );
  }

  /** Report of the last step; waits for it, and errors of the device show here. */
  report(): StepReport {
    return this.engine.lastReport();
  }

  /**
   * Copies on the host of the parameters to evaluate and to save, in the form of the parameters: θ. Waits for the last step.
   */
  evaluationParameters(): P {
    this.report();
    const copies = this.entries.map(({ tensor, parameter, length }) => {
      const position = this.engine.position(tensor) as Float32Array | undefined;
      if (position !== undefined) return position;
      const copy = new Float32Array(length);
      this.library.download(this.options.deviceIndex, parameter.deviceAddress, copy);
      return copy;
    });
    return (this.named ? Object.fromEntries(this.entries.map((e, i) => [e.name, copies[i]])) : copies) as P;
  }
}

function requireTensor(name: string, value: unknown): asserts value is DeviceTensor {
  if (!isDeviceTensor(value) || typeof value.deviceAddress !== 'bigint') {
    throw new TypeError(
      `${name}: expected a tensor in device memory, { deviceAddress: bigint, length }, got ${describe(value)}`,
    );
  }
  if (!Number.isInteger(value.length) || value.length < 1) {
    throw new RangeError(`${name}.length: expected a whole number of at least 1, got ${String(value.length)}`);
  }
  if (value.deviceAddress <= 0n || value.deviceAddress >= 2n ** 64n || value.deviceAddress % 4n !== 0n) {
    throw new RangeError(
      `${name}.deviceAddress: expected an address above 0 that is a multiple of 4, got ${value.deviceAddress}`,
    );
  }
}

function checkTensors(parameters: ParameterSet<DeviceTensor>): Entry<DeviceTensor>[] {
  const source = Array.isArray(parameters) ? Array.from(parameters as readonly DeviceTensor[]) : parameters;
  const entries = Object.entries(source as Record<string, DeviceTensor>).map(([name, parameter]) => {
    requireTensor(`params.${name}`, parameter);
    return { name, parameter, length: parameter.length, tensor: -1, gradient: undefined };
  });
  const placed = entries
    .map(({ name, parameter, length }) => ({
      name,
      at: parameter.deviceAddress,
      end: parameter.deviceAddress + 4n * BigInt(length),
    }))
    .sort((a, b) => (a.at < b.at ? -1 : 1));
  for (let i = 1; i < placed.length; i++) {
    if (placed[i - 1].end > placed[i].at) {
      throw new RangeError(
        `params: expected tensors that share no memory, got ${placed[i - 1].name} and ${placed[i].name} overlapping`,
      );
    }
  }
  return entries;
}
