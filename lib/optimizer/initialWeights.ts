import { createRandom } from '../random';
import type { Random } from '../random';
import { metaParameterShapes, validateArchitecture } from './architecture';
import type { Architecture } from './architecture';
import { createWeights } from './weights';
import type { Weights } from './weights';

/**
 * Meta-parameters before meta-training, as the released code draws them: GRU and affine weights N(0, (0.5/√fan_in)²), gate
 * bias 2.2, readouts of standard deviation 0.5/√hidden, shortcut mean 1/S, decays near σ(3.2) and σ(2.2), learning-rate
 * head 0, initial states U(−1, 1).
 * @throws RangeError or TypeError on a bad architecture or seed
 */
export function initialWeights(architecture: Architecture, seed: number): Weights {
  const a = validateArchitecture(architecture);
  const tensors = new Map<string, Float64Array>();
  // A stream of its own for every tensor that any architecture has: switching an option leaves the others as they are.
  const streams = metaParameterShapes({ ...a, levels: 3, timescales: 2, gradientShortcut: true, attention: true });
  const streamOf = new Map(streams.map(([name], stream) => [name, stream]));
  for (const [name, shape] of metaParameterShapes(a)) {
    tensors.set(name, drawTensor(name, shape, a, createRandom(seed, streamOf.get(name))));
  }
  const readout = tensors.get('parameter.update.readout')!;
  if (a.attention) tensors.set('parameter.attention.readout', readout.slice());
  return createWeights(a, tensors, {
    name: 'initial',
    description: 'Meta-parameters before meta-training.',
    provenance: `initialWeights, seed ${seed}`,
    initialLearningRate: 1e-3,
  });
}

function drawTensor(name: string, shape: readonly number[], a: Architecture, random: Random): Float64Array {
  const size = shape.reduce((x, y) => x * y, 1);
  const fill = (draw: () => number): Float64Array => Float64Array.from({ length: size }, draw);
  if (name.endsWith('.initialHidden')) return fill(() => 2 * random.uniform() - 1);
  if (name.endsWith('.matrix')) return fill(() => (random.normal() * 0.5) / Math.sqrt(shape[0]));
  if (name.endsWith('.cell.gates.bias')) return fill(() => 2.2);
  if (name.endsWith('.shortcut')) {
    return fill(() => 1 / a.timescales + (random.normal() * 0.1) / Math.sqrt(a.timescales));
  }
  if (name === 'parameter.learningRate.readout') return fill(() => 0);
  if (name.endsWith('.readout')) return fill(() => (random.normal() * 0.5) / Math.sqrt(a.parameterHidden));
  if (name === 'parameter.scaleDecay.bias') return fill(() => 3.2);
  // σ(2.2) for the fastest average, so about σ(2.2 + ln 2·(S − 1)) for the slowest, whose decay algebraic activations learn.
  if (name === 'parameter.inputDecay.bias') {
    return fill(() => 2.2 + (a.activations === 'algebraic' ? Math.LN2 * (a.timescales - 1) : 0));
  }
  if (name === 'parameter.learningRate.momentumLogit') return fill(() => 3.2);
  if (name === 'parameter.stepSizeOffset') return fill(() => -1);
  return fill(() => 0);
}
