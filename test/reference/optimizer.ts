import type {
  FloatArray,
  NativeOptimizer,
  NativeOptimizerOptions,
  NativeStepReport,
  NativeStepRequest,
  TensorState,
} from '../../bindings/types';
import { inputCount } from '../../bindings/types';
import { ReferenceLevels } from './levels';
import { ReferenceParameterLevel } from './parameterStep';

/** All levels from the paper's equations, in place of the addon. */
export class ReferenceOptimizer implements NativeOptimizer {
  readonly bytes = 0;
  private readonly parameters: ReferenceParameterLevel;
  private readonly levels: ReferenceLevels;

  constructor(private readonly options: NativeOptimizerOptions) {
    this.parameters = new ReferenceParameterLevel(options);
    this.levels = new ReferenceLevels(options);
  }

  addTensor(length: number, logLearningRate: number | FloatArray): number {
    const handle = this.parameters.addTensor(length, logLearningRate);
    this.levels.add(handle);
    return handle;
  }

  removeTensor(handle: number): void {
    this.parameters.removeTensor(handle);
    this.levels.tensors.delete(handle);
  }

  step(request: NativeStepRequest): NativeStepReport {
    const { architecture: a } = this.options;
    const { tensors } = request;
    const exchange = {
      biases: this.levels.biases(tensors),
      means: new Float64Array(tensors.length * (a.parameterHidden + inputCount(a))),
      advanced: new Float64Array(tensors.length),
    };
    const report = this.parameters.step({ ...request, ...exchange });
    this.levels.advance(tensors, exchange.means, exchange.advanced);
    return report;
  }

  stepAsync(request: NativeStepRequest): Promise<NativeStepReport> {
    return Promise.resolve(this.step(request));
  }

  exportTensor(handle: number): TensorState {
    return {
      ...this.parameters.exportTensor(handle),
      tensorHidden: Float64Array.from(this.levels.tensors.get(handle)!),
    };
  }

  position(handle: number): FloatArray | undefined {
    return this.exportTensor(handle).position;
  }

  importTensor(): void {
    throw new Error('the reference imports no state');
  }

  resetPosition(handle: number): void {
    this.parameters.resetPosition(handle);
  }

  globalHidden(): FloatArray {
    return Float64Array.from(this.levels.global);
  }

  setGlobalHidden(values: FloatArray): void {
    this.levels.global = Array.from(values);
  }

  dispose(): void {
    this.levels.tensors.clear();
  }
}
