import type { Tensor } from '@tensorflow/tfjs';
import { createOptimizer } from '../lib/index';
import type { Backend } from '../lib/tfjs/backend';
import { learnedOptimizer } from '../lib/tfjs/index';
import type { TfOptimizerOptions } from '../lib/tfjs/index';
import { caseValues } from './cases';
import type { Case } from './cases';

/** One optimizer on one case, ready to step. */
export interface Contestant {
  readonly name: string;
  readonly learned: boolean;
  step(): void;
  /** Views or copies of the present parameters, tensor by tensor. */
  parameters(): Float32Array[];
  dispose(): void;
}

const START = 1;
const GRADIENT = 2;
/** Streams of a case's values and their size: parameters of a common initialisation, gradients of a late phase. */
export const startValues = (measured: Case): Float32Array[] => caseValues(measured, START, 0.1);
export const gradientValues = (measured: Case): Float32Array[] => caseValues(measured, GRADIENT, 0.01);
export const VALUES = { start: { stream: START, scale: 0.1 }, gradient: { stream: GRADIENT, scale: 0.01 } };

/** The learned optimizer on plain arrays. */
export function rawContestant(measured: Case, threads: number): Contestant {
  const parameters = startValues(measured);
  const gradients = gradientValues(measured);
  const optimizer = createOptimizer(parameters, { threads });
  return {
    name: 'arrays',
    learned: true,
    step: () => void optimizer.step(gradients),
    parameters: () => parameters,
    dispose: () => optimizer.dispose(),
  };
}

type TfOptimizer = ReturnType<Backend['tf']['train']['adam']>;

/**
 * The gradients as tensors that a kernel made, as in training: tfjs-node keeps a tensor made from an array in that array
 * until a kernel wants it, and reading it would cost nothing.
 */
export function gradientTensors({ tf }: Backend, measured: Case): Tensor[] {
  return gradientValues(measured).map((values) => tf.tidy(() => tf.mul(tf.tensor1d(values), 1)));
}

function tfContestant(
  backend: Backend,
  measured: Case,
  name: string,
  makeOptimizer: () => TfOptimizer,
  learned: boolean,
): Contestant {
  const { tf } = backend;
  const variables = startValues(measured).map((values) => tf.variable(tf.tensor1d(values)));
  const gradients = gradientTensors(backend, measured);
  const named = variables.map(({ name: variable }, t) => ({ name: variable, tensor: gradients[t] }));
  const optimizer = makeOptimizer();
  return {
    name,
    learned,
    step: () => optimizer.applyGradients(named),
    parameters: () => variables.map((v) => v.dataSync() as Float32Array),
    dispose: () => {
      optimizer.dispose();
      tf.dispose([...variables, ...gradients]);
    },
  };
}

/** The learned optimizer as a `tf.Optimizer`. */
export function learnedContestant(backend: Backend, measured: Case, options: TfOptimizerOptions): Contestant {
  const make = (): TfOptimizer => learnedOptimizer(options) as unknown as TfOptimizer;
  return tfContestant(backend, measured, TITLES[backend.name], make, true);
}

/** Adam of TensorFlow.js: what a user would run instead. */
export function adamContestant(backend: Backend, measured: Case): Contestant {
  const make = (): TfOptimizer => backend.tf.train.adam(1e-3);
  return tfContestant(backend, measured, `Adam on ${TITLES[backend.name]}`, make, false);
}

const TITLES = { node: 'tfjs-node', wasm: 'tfjs wasm', cpu: 'tfjs cpu' } as const;
