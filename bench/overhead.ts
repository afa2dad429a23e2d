import type { Tensor, Variable } from '@tensorflow/tfjs';
import type { Backend } from '../lib/tfjs/backend';
import { lendingBackend, withBorrowedGradients } from '../lib/tfjs/borrowedGradients';
import { GradientReader } from '../lib/tfjs/gradients';
import { makeAccess } from '../lib/tfjs/optimizer';
import type { Case } from './cases';
import { gradientTensors, learnedContestant, rawContestant, startValues } from './contestants';
import type { Contestant } from './contestants';
import { measure } from './measure';
import type { Effort } from './measure';
import { median, medianAbsoluteDeviation } from './statistics';

/** What a step through TensorFlow.js costs beyond the same step on plain arrays, in nanoseconds per parameter. */
export interface Overhead {
  /** The backend, and the option that is not at its default. */
  readonly name: string;
  readonly parameters: number;
  readonly tensors: number;
  readonly threads: number;
  /** Medians over the rounds of a step on arrays and of `applyGradients`. */
  readonly arrays: number;
  readonly tfjs: number;
  /** Median over the rounds of the difference within a round, and its median absolute deviation. */
  readonly overhead: number;
  readonly mad: number;
  /** Getting at the gradients, by itself. */
  readonly reading: number;
  /** Getting at the variables and making them show the new values, by itself. */
  readonly publishing: number;
  readonly rounds: number;
}

function part(name: string, step: () => void, dispose: () => void): Contestant {
  return { name, learned: true, step, parameters: () => [], dispose };
}

function readingPart(backend: Backend, measured: Case, zeroCopy: boolean): Contestant {
  const gradients: Tensor[] = gradientTensors(backend, measured);
  const readers = gradients.map(() => new GradientReader());
  const copy = (): void => backend.tf.tidy(() => readers.forEach((reader, t) => void reader.read(gradients[t])));
  const borrow = (): void => withBorrowedGradients(lendingBackend(gradients)!, gradients, () => undefined);
  return part('reading', zeroCopy ? borrow : copy, () => backend.tf.dispose(gradients));
}

function publishingPart({ tf }: Backend, measured: Case): Contestant {
  const variables: Variable[] = startValues(measured).map((values) => tf.tidy(() => tf.variable(tf.tensor1d(values))));
  const accesses = variables.map((variable) => makeAccess(variable));
  const step = (): void =>
    tf.tidy(() => {
      for (const access of accesses) access.prepare();
      for (const access of accesses) access.open();
      for (const access of accesses) access.close();
    });
  return part('publishing', step, () => tf.dispose(variables));
}

/**
 * Measures both steps and the parts in turns. With and without `zeroCopy` are measurements of their own: copies leave
 * memory to be freed, which whoever comes next would pay for.
 */
export function measureOverhead(
  backend: Backend,
  measured: Case,
  options: { readonly threads: number; readonly zeroCopy: boolean },
  effort: Effort,
  checkpoint: (contestant: Contestant, steps: number) => void,
): Overhead {
  const { threads, zeroCopy } = options;
  const steps = [rawContestant(measured, threads), learnedContestant(backend, measured, options)];
  const contestants = [...steps, readingPart(backend, measured, zeroCopy), publishingPart(backend, measured)];
  const measurements = measure(contestants, effort, Infinity, (contestant, count) => {
    if (steps.includes(contestant)) checkpoint(contestant, count);
  });
  for (const contestant of contestants) contestant.dispose();
  const [arrays, tfjs, reading, publishing] = measurements.map(({ rounds }) =>
    rounds.map((milliseconds) => (milliseconds * 1e6) / measured.parameters),
  );
  const differences = tfjs.map((time, round) => time - arrays[round]);
  return {
    name: zeroCopy ? `${backend.name}, zeroCopy` : backend.name,
    parameters: measured.parameters,
    tensors: measured.lengths.length,
    threads,
    arrays: median(arrays),
    tfjs: median(tfjs),
    overhead: median(differences),
    mad: medianAbsoluteDeviation(differences),
    reading: median(reading),
    publishing: median(publishing),
    rounds: differences.length,
  };
}
