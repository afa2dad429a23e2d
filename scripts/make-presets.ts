/**
 * Writes the presets in `weights/` that are made rather than meta-trained on this tree: `prototype` from its JSON source
 * and `rmsprop-like` from its formula. Run with `npm run make:presets`; a test compares the files with the result.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../lib/packageRoot';
import { DEFAULT_ARCHITECTURE, metaParameterShapes } from '../lib/optimizer/architecture';
import { weightsFromReleased } from '../lib/optimizer/releasedNames';
import type { ReleasedVariable } from '../lib/optimizer/releasedNames';
import { createWeights, saveWeights } from '../lib/optimizer/weights';
import type { Weights } from '../lib/optimizer/weights';

const logit = (p: number): number => Math.log(p / (1 - p));

/** Meta-parameters keep the precision in which they are used. */
function single(weights: Weights): Weights {
  const tensors = new Map([...weights.tensors].map(([name, data]) => [name, Float32Array.from(data)]));
  return createWeights(weights.architecture, tensors, weights.metadata);
}

/** The stand-in weights, from `weights/source/prototype.json`. */
export function prototype(): Weights {
  const source = JSON.parse(readFileSync(join(packageRoot, 'weights', 'source', 'prototype.json'), 'utf8')) as {
    readonly metaVariables: Readonly<Record<string, ReleasedVariable>>;
  };
  return single(
    weightsFromReleased(DEFAULT_ARCHITECTURE, source.metaVariables, {
      name: 'prototype',
      description:
        'Provisional: a short meta-training by a prototype, until the weights of this package are trained. No neural network in its corpus.',
      provenance:
        'JAX prototype; 6 minutes of truncated back-propagation (3.3 M instance-steps), then 11 minutes of persistent evolution strategies (15.9 M), one core; source: weights/source/prototype.json',
      initialLearningRate: 1e-3,
    }),
  );
}

/**
 * Meta-parameters with which the step is RMSProp with momentum, normalised over the tensor: the direction is the mean of
 * the scaled momenta (shortcut 1/S), decays are constant (β = 0.9, β_λ = 0.96 as in the initial meta-parameters of the
 * paper's released code: σ(2.2), σ(3.2)), and the learning rate never changes. All recurrent matrices are zero.
 */
export function rmspropLike(): Weights {
  const tensors = new Map<string, Float32Array>();
  const constants: Readonly<Record<string, number>> = {
    'parameter.update.shortcut': 1 / DEFAULT_ARCHITECTURE.timescales,
    'parameter.scaleDecay.bias': logit(0.96),
    'parameter.inputDecay.bias': logit(0.9),
    'parameter.learningRate.momentumLogit': 3.2,
  };
  for (const [name, shape] of metaParameterShapes(DEFAULT_ARCHITECTURE)) {
    tensors.set(name, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(constants[name] ?? 0));
  }
  return createWeights(DEFAULT_ARCHITECTURE, tensors, {
    name: 'rmsprop-like',
    description:
      'Not meta-trained: RMSProp with momentum at four timescales and a constant learning rate, a baseline that runs through the same code.',
    provenance: 'scripts/make-presets.ts',
    initialLearningRate: 1e-3,
  });
}

if (process.argv[1]?.endsWith('make-presets.ts')) {
  for (const weights of [prototype(), rmspropLike()]) {
    const path = join(packageRoot, 'weights', `${weights.metadata.name}.safetensors`);
    saveWeights(path, weights);
    console.log(path);
  }
}
