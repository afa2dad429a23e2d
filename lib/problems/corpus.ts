import { bowlFamily } from './families/bowl';
import { dependencyChainFamily } from './families/dependencyChain';
import { landscapeFamilies, landscapeFamily } from './families/landscapes';
import { matrixProductFamily } from './families/matrixProduct';
import { minMaxWellFamily } from './families/minMaxWell';
import { normFamily } from './families/norm';
import { outwardSnakeFamily } from './families/outwardSnake';
import { quadraticFamily } from './families/quadratic';
import { regressionFamily, type Link } from './families/regression';
import { sigmoidNetworkFamily } from './families/sigmoidNetwork';
import { symmetricQuadraticFamily } from './families/symmetricQuadratics';
import { combineFamilies, mapFamily, type Family, type FamilyGroup } from './family';
import { logObjective } from './transforms/log';
import { gradientNoise } from './transforms/noise';
import { rescale } from './transforms/rescale';
import { sparseGradients } from './transforms/sparse';
import { sumOf } from './transforms/sum';

export interface PaperCorpusOptions {
  /** With the small sigmoid networks. Default false: what is meta-trained without them has never seen a network. */
  readonly networks?: boolean;
}

const noisy = (family: Family, deviation: number): Family =>
  mapFamily(`${family.name}-noise-${deviation}`, family, (objective) => gradientNoise(objective, deviation));
const logarithmic = (family: Family): Family => mapFamily(`log-${family.name}`, family, logObjective);
const sparse = (family: Family): Family =>
  mapFamily(`sparse-${family.name}`, family, (objective) => sparseGradients(objective));
const scaled = (family: Family, scale: number): Family =>
  mapFamily(`${family.name}-times-${scale}`, family, (objective) => rescale(objective, scale));
const sum = (name: string, families: readonly Family[]): Family =>
  combineFamilies(name, families, (parts) => sumOf(parts, { name }));
const quadratics = (...sizes: number[]): Family[] => sizes.map(quadraticFamily);
const landscapes = (...names: string[]): Family[] => names.map(landscapeFamily);

function quadraticMembers(): Family[] {
  const [d20, d25, d50, d100, ...large] = quadratics(20, 25, 50, 100, 784, 1024, 2048);
  return [noisy(d20, 0.5), d25, noisy(d50, 1), noisy(d100, 2), ...large];
}

function bowlMembers(): Family[] {
  const bowls = [bowlFamily(0.1), bowlFamily(1), bowlFamily(5), bowlFamily(5, Math.PI / 4)];
  return [...bowls, ...bowls.map((bowl) => noisy(bowl, 0.1))];
}

function regressionMembers(): Family[] {
  const sizes = [
    { features: 10, separation: 2, batchSize: 100, noise: 0.5 },
    { features: 100, separation: 1, batchSize: 50, noise: 0.1 },
    { features: 200, separation: 1.5, batchSize: 20, noise: 0.1 },
    { features: 256, separation: 1.5, batchSize: 100, noise: 0.5 },
  ];
  return (['logistic', 'softmax'] as const).flatMap((link: Link) =>
    sizes.flatMap(({ noise, ...size }) => {
      const family = regressionFamily({ ...size, link, samples: 1000, classes: 2 });
      return [family, noisy(family, noise)];
    }),
  );
}

/** What the log objective and sparse gradients are applied to. */
const simpleMembers = (): Family[] => [...quadratics(20, 50, 100), bowlFamily(0.1), bowlFamily(1), bowlFamily(5)];

function rescaleMembers(): Family[] {
  const norms = [
    [2.5, 0.123],
    [1.5, 8],
    [2, 50],
    [3, 200],
    [1, 1000],
  ];
  const sizes = [
    [20, 0.1],
    [25, 10],
    [50, 350],
    [100, 132],
  ];
  return [
    ...norms.map(([power, scale]) => scaled(normFamily(18, power), scale)),
    ...sizes.map(([size, scale]) => scaled(quadraticFamily(size), scale)),
  ];
}

function normMembers(): Family[] {
  const noisyNorms = [normFamily(19, 1), normFamily(26, 2), normFamily(23, 3)];
  return [normFamily(27, 1), normFamily(25, 2), normFamily(22, 3), ...noisyNorms.map((norm) => noisy(norm, 0.1))];
}

function sumMembers(): Family[] {
  const seven = quadratics(11, 3, 9, 7, 5, 13, 12);
  const nine = landscapeFamilies();
  const [d5, d13] = quadratics(5, 13);
  return [
    sum('sum-quadratics-7', seven),
    sum('sum-norm-quadratic-rosenbrock', [normFamily(18, 3), quadraticFamily(25), landscapeFamily('rosenbrock')]),
    sum('sum-landscapes', nine),
    sum('sum-landscapes-quadratics', [...nine, d5, d13]),
    sum('sum-quadratics-2', quadratics(11, 3)),
    sum('sum-rosenbrock-log-sum-exp-ackley', landscapes('rosenbrock', 'log-sum-exp', 'ackley')),
    sum(
      'sum-quadratics-7-noise-0.1',
      seven.map((family) => noisy(family, 0.1)),
    ),
    sum('sum-landscapes-quadratics-noise-0.5', [...nine, d5, noisy(d13, 0.5)]),
  ];
}

type SizedData = readonly [dimensions: number, samples: number, batchSize: number];

/** The problems with data that converge slowly. */
const SNAKES: readonly SizedData[] = [
  [20, 1000, 100],
  [12, 200, 10],
  [56, 5000, 100],
  [64, 1000, 50],
  [13, 10000, 50],
  [20, 1000, 128],
  [12, 300, 16],
  [56, 5000, 128],
  [64, 1000, 64],
  [13, 10000, 32],
];
/** The same of the quadratics over ± pairs, which have fewer samples where a snake has 200 or 300. */
const PAIRS = SNAKES.map(([size, samples, batchSize]): SizedData => [size, samples < 1000 ? 100 : samples, batchSize]);

function slowGroups(): FamilyGroup[] {
  const sizes = [12, 13, 20, 56, 64];
  return [
    { name: 'dependency-chain', families: sizes.map(dependencyChainFamily) },
    { name: 'outward-snake', families: SNAKES.map((member) => outwardSnakeFamily(...member)) },
    { name: 'min-max-well', families: sizes.map(minMaxWellFamily) },
    { name: 'sum-of-quadratics', families: PAIRS.map((member) => symmetricQuadraticFamily('sum', ...member)) },
    {
      name: 'projection-quadratic',
      families: PAIRS.map((member) => symmetricQuadraticFamily('projection', ...member)),
    },
  ];
}

function networkMembers(): Family[] {
  return [
    sigmoidNetworkFamily(8, [8, 5], 10),
    sigmoidNetworkFamily(12, [8, 5, 3], 200),
    sigmoidNetworkFamily(5, [4, 4, 4, 4], 100),
    sigmoidNetworkFamily(11, [4, 5, 6], 64),
    sigmoidNetworkFamily(9, [8], 128),
    sigmoidNetworkFamily(7, [8, 5], 16),
    sigmoidNetworkFamily(8, [32, 64], 10),
    sigmoidNetworkFamily(12, [16, 8, 3], 200),
    sigmoidNetworkFamily(5, [8, 8, 8, 8], 100),
    sigmoidNetworkFamily(11, [10, 12, 12], 64),
    sigmoidNetworkFamily(9, [32], 128),
    sigmoidNetworkFamily(7, [32, 64], 16),
  ];
}

/**
 * The ensemble that the optimizer of Wichrowska et al. 2017 (section 4.3; sizes from the released code) was meta-trained
 * on: groups of families of random problems, see docs/problems.md.
 */
export function paperCorpus({ networks = false }: PaperCorpusOptions = {}): FamilyGroup[] {
  const landscapeMembers = landscapeFamilies().flatMap((family) => [family, noisy(family, 1)]);
  const algorithms = [5, 6, 7, 8].map((k) => matrixProductFamily(2, k));
  const largerAlgorithms = [19, 20, 21, 22, 23, 24].map((k) => matrixProductFamily(3, k));
  return [
    { name: 'quadratic', families: quadraticMembers() },
    { name: 'bowl', families: bowlMembers() },
    { name: 'regression', families: regressionMembers() },
    { name: 'landscape', families: landscapeMembers },
    { name: 'matrix-product', families: [...algorithms, ...largerAlgorithms] },
    { name: 'log', families: simpleMembers().map(logarithmic) },
    { name: 'sparse', families: simpleMembers().map(sparse) },
    { name: 'rescale', families: rescaleMembers() },
    { name: 'norm', families: normMembers() },
    { name: 'sum', families: sumMembers() },
    ...slowGroups(),
    ...(networks ? [{ name: 'sigmoid-network', families: networkMembers() }] : []),
  ];
}

/**
 * The family of the paper's corpus, networks included, that has this name.
 * @throws {RangeError} if there is none
 */
export function findFamily(name: string): Family {
  for (const { families } of paperCorpus({ networks: true })) {
    const found = families.find((family) => family.name === name);
    if (found !== undefined) return found;
  }
  throw new RangeError(`name: expected that of a family of the paper's corpus, got "${name}"`);
}
