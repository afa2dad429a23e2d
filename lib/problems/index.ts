/**
 * The problems of meta-training: random objectives with gradients and Hessian–vector products, transformations of them, and
 * what it takes to add your own. See docs/problems.md.
 * @packageDocumentation
 */
export { defineObjective, dimensionOf, tensorsOf } from './objective';
export type { Batch, Objective, ObjectiveDefinition } from './objective';
export { sizeOf } from './problem';
export type { ParameterShape, Problem } from './problem';
export { asProblem } from './asProblem';
export { PerturbedGradient } from './perturbedGradient';
export { checkDerivatives } from './checkDerivatives';
export type { DerivativeCheck, DerivativeCheckOptions } from './checkDerivatives';
export { centralHessianVectorProduct } from './differences';

export { combineFamilies, mapFamily } from './family';
export type { Family, FamilyGroup } from './family';
export { findFamily, paperCorpus } from './corpus';
export type { PaperCorpusOptions } from './corpus';

export { Bowl, bowlFamily } from './families/bowl';
export { gaussianClusters } from './families/clusters';
export type { ClusterOptions } from './families/clusters';
export { DependencyChain, dependencyChainFamily } from './families/dependencyChain';
export { Landscape, landscapeFamilies, landscapeFamily } from './families/landscapes';
export type { Hessian } from './families/landscapes';
export type { Function2d } from './lanes/testFunctions2d';
export { MatrixProductAlgorithm, matrixProductFamily } from './families/matrixProduct';
export { MinMaxWell, minMaxWellFamily } from './families/minMaxWell';
export { normFamily, ResidualNorm } from './families/norm';
export { SampledVectorObjective } from './families/sampledVectorObjective';
export { OutwardSnake, outwardSnakeFamily } from './families/outwardSnake';
export { Quadratic, quadraticFamily } from './families/quadratic';
export { Regression, regressionFamily } from './families/regression';
export type { Link, RegressionData, RegressionFamilyOptions } from './families/regression';
export { randomReluLabels } from './families/reluLabels';
export { SigmoidNetwork, sigmoidNetworkFamily } from './families/sigmoidNetwork';
export { ProjectionQuadratic, SumOfQuadratics, symmetricQuadraticFamily } from './families/symmetricQuadratics';
export type { ClassificationSamples } from './mlp';

export { logObjective } from './transforms/log';
export { gradientNoise } from './transforms/noise';
export { normOf } from './transforms/norm';
export { OuterObjective } from './transforms/outer';
export type { OuterFunction } from './transforms/outer';
export { rescale } from './transforms/rescale';
export { saturate } from './transforms/saturate';
export { sparseGradients } from './transforms/sparse';
export { sumOf } from './transforms/sum';
export type { SumOptions } from './transforms/sum';

export { createRandom } from '../random';
export type { Random } from '../random';
