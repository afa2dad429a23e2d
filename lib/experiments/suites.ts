import { loadDigits } from '../datasets/digits';
import { featureCount, features } from '../datasets/images';
import { Mlp } from '../problems/mlp';
import type { Sampling } from '../problems/batches';
import type { Problem } from '../problems/problem';

/** A problem on which optimizers are compared, with the length of the training. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  /** The problem, made when asked for: data are read then. */
  problem(): Problem;
  readonly sampling: Sampling;
  readonly steps: number;
  readonly evaluateEvery: number;
}

/** The digits network of the preset's validation: all 1,797 digits train, none is held out. */
const digits: Suite = {
  name: 'digits',
  title: 'Digits 8×8, network 64-32-10 (relu, He start), batches of 64 with replacement',
  sampling: 'replacement',
  steps: 2000,
  evaluateEvery: 50,
  problem() {
    const images = loadDigits();
    return new Mlp({
      name: 'digits',
      samples: { features: features(images), featureCount: featureCount(images), labels: images.labels },
      classes: 10,
      hidden: [32],
      activation: 'relu',
      start: 'he',
      batchSize: 64,
    });
  },
};

/** The same with every sample once per epoch, as `model.fit` shows them. */
const digitsEpochs: Suite = {
  ...digits,
  name: 'digits-epochs',
  title: 'Digits 8×8, network 64-32-10 (relu, He start), batches of 64 without replacement',
  sampling: 'epochs',
};

export const SUITES: Readonly<Record<string, Suite>> = { digits, 'digits-epochs': digitsEpochs };
