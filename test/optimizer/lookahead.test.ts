import { describe, expect, it } from 'vitest';
import { createOptimizer, createWeights } from '../../lib/index';
import { decodeSafetensors, encodeSafetensors } from '../../lib/safetensors';
import { attentionWeights, bitsOf, gradientsAt, hex, normals, resume, run, SIZES, startParameters } from './runs';

const weights = attentionWeights;

/** The same meta-parameters without those of the lookahead. */
const withoutLookahead = createWeights(
  { ...weights.architecture, attention: false },
  new Map([...weights.tensors].filter(([name]) => !name.startsWith('parameter.attention'))),
  weights.metadata,
);

describe('a saved state with lookahead', () => {
  it('is refused where θ is not a number', () => {
    const { optimizer } = run(3, { weights });
    const before = optimizer.saveState();
    const { tensors, metadata } = decodeSafetensors(before);
    const position = tensors.get('0.position')!;
    const bad = (position.data as Float32Array).map((v, i) => (i === 2 ? NaN : v));
    const bytes = encodeSafetensors({
      tensors: [...tensors].map(([name, t]) => [name, name === '0.position' ? { ...t, data: bad } : t]),
      metadata,
    });
    expect(() => optimizer.loadState(bytes)).toThrow(/state.position\[2\]: expected a number/);
    expect(hex(optimizer.saveState())).toBe(hex(before));
  });
});

describe('evaluationParameters', () => {
  it('without lookahead are copies of the parameters', () => {
    const { parameters, optimizer } = run(5);
    const copies = optimizer.evaluationParameters();
    expect(hex(...copies)).toBe(hex(...parameters));
    copies[0].fill(0);
    expect(hex(...optimizer.evaluationParameters())).toBe(hex(...parameters));
  });

  it('with lookahead are the parameters before the first step', () => {
    const { parameters, optimizer } = run(0, { weights });
    expect(hex(...optimizer.evaluationParameters())).toBe(hex(...parameters));
  });

  it('with lookahead are where the same steps lead without it, while the parameters are elsewhere', () => {
    const [ahead, plain] = [startParameters(), startParameters()];
    const [a, b] = [createOptimizer(ahead, { weights }), createOptimizer(plain, { weights: withoutLookahead })];
    for (let i = 0; i < 10; i++) {
      const gradients = SIZES.map((size, t) => normals(size, 10 * i + t));
      a.step(gradients);
      b.step(gradients);
      a.evaluationParameters().forEach((theta, t) => {
        theta.forEach((value, j) => expect(value).toBeCloseTo(plain[t][j], 6));
        expect(hex(theta)).not.toBe(hex(ahead[t]));
      });
    }
  });

  it('with lookahead are copies', () => {
    const current = run(3, { weights });
    const before = bitsOf(current);
    current.optimizer.evaluationParameters().forEach((p) => p.fill(0));
    expect(bitsOf(current)).toBe(before);
  });

  it('with lookahead of a tensor that never had a gradient are its parameters', () => {
    const { parameters, optimizer } = run(0, { weights });
    optimizer.step([normals(SIZES[0], 1), null, null]);
    const theta = optimizer.evaluationParameters();
    expect(hex(theta[1], theta[2])).toBe(hex(parameters[1], parameters[2]));
    expect(hex(theta[0])).not.toBe(hex(parameters[0]));
  });
});

describe('resetLookahead', () => {
  it('makes the next step start from values assigned since', () => {
    const assigned = startParameters().map((p) => p.map((v) => v + 100));
    const { parameters, optimizer } = run(5, { weights });
    parameters.forEach((p, i) => p.set(assigned[i]));
    optimizer.resetLookahead();
    expect(hex(...optimizer.evaluationParameters())).toBe(hex(...assigned));
    optimizer.step(gradientsAt(parameters, 5));
    optimizer.evaluationParameters().forEach((theta, t) => {
      theta.forEach((value, j) => expect(Math.abs(value - assigned[t][j])).toBeLessThan(1));
    });
  });

  it('keeps the rest of the state: assigning θ is as if nothing was reset', () => {
    const [reset, plain] = [run(5, { weights }), run(5, { weights })];
    const gradients = gradientsAt(plain.parameters, 5);
    reset.optimizer.evaluationParameters().forEach((theta, i) => reset.parameters[i].set(theta));
    reset.optimizer.resetLookahead();
    for (const { optimizer } of [reset, plain]) optimizer.step(gradients);
    expect(bitsOf(reset)).toBe(bitsOf(plain));
  });

  it('is needed: without it values assigned to the parameters are not where the next step starts', () => {
    const [assigned, plain] = [run(5, { weights }), run(5, { weights })];
    const gradients = gradientsAt(plain.parameters, 5);
    assigned.parameters.forEach((p) => p.fill(100));
    for (const { optimizer } of [assigned, plain]) optimizer.step(gradients);
    expect(bitsOf(assigned)).toBe(bitsOf(plain));
  });

  it('without lookahead changes nothing', () => {
    const [reset, plain] = [run(5), run(5)];
    reset.optimizer.resetLookahead();
    for (const current of [reset, plain]) resume(current, 3);
    expect(bitsOf(reset)).toBe(bitsOf(plain));
  });
});
