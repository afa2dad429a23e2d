import { BpttFamily } from '../../lib/meta/bptt';
import type { BpttOptions } from '../../lib/meta/bptt';
import { corpusEntries } from '../../lib/meta/corpus';
import type { CorpusEntry } from '../../lib/meta/corpus';
import { flatten } from '../../lib/meta/flat';
import { LaneStates } from '../../lib/meta/laneStates';
import { PesFamily } from '../../lib/meta/pes';
import type { PesOptions } from '../../lib/meta/pes';
import { DEFAULT_ARCHITECTURE } from '../../lib/optimizer/architecture';
import { initialWeights } from '../../lib/optimizer/initialWeights';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { createRandom } from '../../lib/random';
import { TypeScriptStep } from './typescriptStep';

/** What is measured: estimators, and the optimizer's step alone, in the engine and in TypeScript. */
export const SUBJECTS = ['pes', 'bptt', 'bptt2', 'step', 'typescript'] as const;
export type Subject = (typeof SUBJECTS)[number];

export const DESCRIPTIONS: Readonly<Record<Subject, string>> = {
  pes: 'PES',
  bptt: 'BPTT',
  bptt2: 'BPTT, second derivatives',
  step: 'step alone',
  typescript: 'step in TypeScript',
};

/** Work of one thread. */
export interface Job {
  readonly subject: Subject;
  /** Numbers of families of the default corpus. */
  readonly families: readonly number[];
  readonly seed: number;
}

/** One iteration: a truncation of all families, or a few steps. */
export interface Runner {
  /** @returns problem steps done */
  iterate(): number;
}

export const ARCHITECTURE = DEFAULT_ARCHITECTURE;
const TRAJECTORIES = {
  truncation: 40,
  augmentation: { rescale: 0.7, interpolation: 0.6, saturation: 0.3 },
  initialRates: { paperRange: [1e-6, 1e-2], constantProbability: 0.5, constantRange: [1e-6, 1e-1] },
  horizon: [100, 4000],
} as const;
const PES: PesOptions = { ...TRAJECTORIES, sigma: 0.01, differenceBound: 2, normMultiple: 3 };
const BPTT: BpttOptions = {
  ...TRAJECTORIES,
  objective: 'log',
  secondDerivatives: false,
  clipNorm: 1,
  stopMultiplier: Infinity,
};
/** Steps per iteration of the step alone. */
const STEPS = 10;
/** Problems per iteration of the step in TypeScript: they go one by one, so that more would say the same. */
const TYPESCRIPT_PROBLEMS = 4;

export function createRunner({ subject, families, seed }: Job): Runner {
  const flat = flatten(initialWeights(ARCHITECTURE, 1));
  const corpus = corpusEntries({ corpus: 'default' });
  const table = new NoiseTable(seed);
  const runners = families.map((index) => createFamilyRunner(subject, corpus[index], table, flat, seed + index));
  return { iterate: () => runners.reduce((sum, runner) => sum + runner.iterate(), 0) };
}

function createFamilyRunner(
  subject: Subject,
  entry: CorpusEntry,
  table: NoiseTable,
  flat: Float64Array,
  seed: number,
): Runner {
  if (subject === 'step') return nativeSteps(entry, flat);
  if (subject === 'typescript') return typescriptSteps(entry, flat);
  let iteration = 0;
  const next = () => createRandom(seed, ++iteration);
  if (subject === 'pes') {
    const estimator = new PesFamily(ARCHITECTURE, entry.family, entry.blocks, table, seed);
    estimator.begin(next(), PES);
    return { iterate: () => estimator.run(flat, next(), PES).steps };
  }
  const options: BpttOptions = { ...BPTT, secondDerivatives: subject === 'bptt2' };
  const estimator = new BpttFamily(ARCHITECTURE, entry.family, entry.blocks, table, seed);
  estimator.begin(next(), options);
  return { iterate: () => estimator.run(flat, next(), options).steps };
}

/** Every problem with meta-parameters of its own, as evolution strategies need it. */
function nativeSteps({ family, blocks }: CorpusEntry, flat: Float64Array): Runner {
  const states = new LaneStates(ARCHITECTURE, family.lengths, blocks);
  const { width, coordinates, metaParameters: M } = states;
  const lanes = blocks * width;
  const weights = states.array(lanes * M);
  for (let k = 0; k < weights.length; k++) weights[k] = flat[Math.floor(k / width) % M];
  const state = states.array(states.size);
  const rates = new Float64Array(coordinates).fill(Math.log(1e-3));
  for (let lane = 0; lane < lanes; lane++) {
    states.reset(state, Math.floor(lane / width), lane % width, (i) => flat[i], rates);
  }
  const random = createRandom(1);
  const gradient = states.array(lanes * coordinates).map(() => random.normal());
  return {
    iterate() {
      for (let i = 0; i < STEPS; i++) states.step(weights, state, gradient, state);
      return lanes * STEPS;
    },
  };
}

function typescriptSteps({ family, blocks }: CorpusEntry, flat: Float64Array): Runner {
  const { step, state, gradient } = createTypeScriptProblem(family.lengths, flat);
  return {
    iterate() {
      // As many problems as the family has, so that the mix is the same.
      for (let i = 0; i < TYPESCRIPT_PROBLEMS * blocks; i++) step.step(flat, state, gradient);
      return TYPESCRIPT_PROBLEMS * blocks;
    },
  };
}

/** A problem for the step in TypeScript, in the initial state. */
export function createTypeScriptProblem(lengths: readonly number[], flat: Float64Array) {
  const layout = new LaneStates(ARCHITECTURE, lengths, 1, 'float64');
  const state = new Float64Array(layout.size);
  const random = createRandom(1);
  const gradient = Float64Array.from({ length: layout.coordinates }, () => random.normal());
  layout.reset(state, 0, 0, (i) => flat[i], new Float64Array(layout.coordinates).fill(Math.log(1e-3)));
  return { step: new TypeScriptStep(ARCHITECTURE, lengths), layout, state, gradient };
}
