import type { LabelledImages } from '../../datasets/images';
import type { Sampling } from '../../problems/batches';
import type { Problem } from '../../problems/problem';

/** Images that tasks are made from. */
export interface TaskData {
  readonly digits: LabelledImages;
  /** Absent where no folder with the files was given. */
  readonly mnist?: LabelledImages;
}

/** One training problem of an evaluation, with the length of the training. */
export interface Task {
  readonly name: string;
  /** Network and data in a few words. */
  readonly title: string;
  readonly data: 'digits' | 'mnist' | 'synthetic';
  readonly sampling: Sampling;
  readonly steps: number;
  /** Steps between evaluations of the loss. */
  readonly evaluateEvery: number;
  problem(data: TaskData): Problem;
}
