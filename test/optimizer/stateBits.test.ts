import { describe, expect, it } from 'vitest';
import { createOptimizer, DEFAULT_ARCHITECTURE, initialWeights, loadWeights } from '../../lib/index';
import type { OptimizerOptions } from '../../lib/index';
import { learnedOptimizer } from '../../lib/experiments/learned';
import { SUITES } from '../../lib/experiments/suites';
import { finalLoss, train } from '../../lib/experiments/training';
import { DEFAULT_PRESET } from '../../lib/optimizer/presets';
import { decodeSafetensors } from '../../lib/safetensors';
import { ARCHITECTURES, bitsOf, gradientsAt, hex, relativeDistance, resume, run, startParameters } from './runs';
import type { Run } from './runs';

const half = { stateBits: 16 } as const;

/** A fresh optimizer over copies of the parameters of a run, with the run's state. */
function restored({ parameters, optimizer }: Run, options: OptimizerOptions): Run {
  const copies = parameters.map((p) => p.slice());
  const fresh = createOptimizer(copies, options);
  fresh.loadState(optimizer.saveState());
  return { parameters: copies, optimizer: fresh };
}

/** The bits of a float that 16-bit state must not have: the lower half of a bfloat16. */
const lowerBits = (values: Float32Array): number[] =>
  Array.from(new Uint32Array(values.slice().buffer), (bits) => bits & 0xffff);

describe('stateBits', () => {
  it.each<[unknown, ErrorConstructor, RegExp]>([
    ['16', TypeError, /^stateBits: expected 32 or 16, got '16'$/],
    [true, TypeError, /^stateBits: expected 32 or 16, got true$/],
    [8, RangeError, /^stateBits: expected 32 or 16, got 8$/],
    [NaN, RangeError, /^stateBits: expected 32 or 16, got NaN$/],
  ])('%s is refused', (stateBits, type, message) => {
    const create = () => createOptimizer(startParameters(), { stateBits } as unknown as OptimizerOptions);
    expect(create).toThrow(type);
    expect(create).toThrow(message);
  });

  it('16 is refused for Float64Arrays, 32 is not', () => {
    const message = /^stateBits: expected 32 with Float64Arrays, .*, got 16$/;
    expect(() => createOptimizer([new Float64Array(3)], half)).toThrow(RangeError);
    expect(() => createOptimizer([new Float64Array(3)], half)).toThrow(message);
    expect(createOptimizer([new Float64Array(3)], { stateBits: 32 }).options.stateBits).toBe(32);
  });

  it('32 gives the bits of the default', () => {
    expect(bitsOf(run(10, { stateBits: 32 }))).toBe(bitsOf(run(10)));
    expect(bitsOf(run(10, half))).not.toBe(bitsOf(run(10)));
  });

  it.each([
    ['the default preset', loadWeights(DEFAULT_PRESET), 36],
    ["the paper's architecture", initialWeights(DEFAULT_ARCHITECTURE, 1), 44],
  ] as const)('16 takes at most 46 bytes per parameter: %s', (_, weights, bytes) => {
    const size = 160_000;
    const optimizer = createOptimizer([new Float32Array(size)], { weights, ...half });
    optimizer.step([new Float32Array(size).fill(1)]);
    // The levels above take some bytes per tensor.
    expect(optimizer.bytes / size - bytes).toBeGreaterThanOrEqual(0);
    expect(optimizer.bytes / size - bytes).toBeLessThan(0.01);
    expect(bytes).toBeLessThanOrEqual(46);
    optimizer.dispose();
  });

  it('16 keeps λ and ḡ as bfloat16, the hidden state as fixed point and η as float32', () => {
    const { tensors, metadata } = decodeSafetensors(run(20, half).optimizer.saveState());
    expect(metadata['stateBits']).toBe('16');
    for (const field of ['momentum', 'scale']) {
      expect(lowerBits(tensors.get(`2.${field}`)!.data as Float32Array).every((bits) => bits === 0)).toBe(true);
    }
    const hidden = tensors.get('2.hidden')!.data as Float32Array;
    expect(hidden.every((h) => Number.isInteger(h * 2 ** 15))).toBe(true);
    expect(hidden.some((h) => !Number.isInteger(h * 2 ** 12))).toBe(true);
    expect(lowerBits(tensors.get('2.logLearningRate')!.data as Float32Array).some((bits) => bits !== 0)).toBe(true);
  });
});

describe('with 16-bit state', () => {
  const cases = ARCHITECTURES.flatMap(([name, weights]) => [0, 1, 57].map((steps) => [name, steps, weights] as const));

  it.each(cases)('a restored run continues bit for bit: %s, after %i steps', (_, steps, weights) => {
    const current = run(steps, { weights, ...half });
    const copy = restored(current, { weights, threads: 1, ...half });
    expect(bitsOf(copy)).toBe(bitsOf(current));
    for (const each of [current, copy]) resume(each, 10);
    expect(bitsOf(copy)).toBe(bitsOf(current));
    expect(bitsOf(current)).toBe(bitsOf(run(steps + 10, { weights, ...half })));
  });

  it('1, 2, 3 and 8 threads give the same bits, and so do asynchronous steps', async () => {
    const sizes = [5000, 1, 70, 12_345, 2048];
    const first = bitsOf(run(8, { threads: 1, ...half }, sizes));
    for (const threads of [2, 3, 8]) expect(bitsOf(run(8, { threads, ...half }, sizes)) === first).toBe(true);
    const { parameters, optimizer } = run(0, half, sizes);
    for (let i = 0; i < 8; i++) await optimizer.stepAsync(gradientsAt(parameters, i));
    expect(bitsOf({ parameters, optimizer }) === first).toBe(true);
  });

  it('a state of 32 bits is taken with its values rounded, and one of 16 bits as it is', () => {
    const [whole, halved] = [run(30), run(30, half)];
    const taken = decodeSafetensors(restored(whole, half).optimizer.saveState()).tensors;
    const source = decodeSafetensors(whole.optimizer.saveState()).tensors;
    for (const [name, { data }] of source) {
      const values = taken.get(name)!.data as Float32Array;
      (data as Float32Array).forEach((value, i) => {
        const allowed = /hidden/.test(name) ? 2 ** -14 : /momentum|scale/.test(name) ? Math.abs(value) * 2 ** -8 : 0;
        if (!(Math.abs(values[i] - value) <= allowed)) throw new Error(`${name}[${i}]: ${value} became ${values[i]}`);
      });
    }
    const back = restored(halved, { stateBits: 32 });
    const tensorsOf = (r: Run) => [...decodeSafetensors(r.optimizer.saveState()).tensors].map(([, t]) => t.data);
    expect(hex(...tensorsOf(back))).toBe(hex(...tensorsOf(halved)));
  });

  it('a run stays near that of 32 bits', () => {
    const start = startParameters();
    const [whole, halved] = [run(100), run(100, half)];
    whole.parameters.forEach((p, i) => {
      if (p.length > 1) expect(relativeDistance(halved.parameters[i], p, start[i])).toBeLessThan(0.05);
    });
  });

  it('coordinates with a gradient that is not finite are skipped as with 32 bits', () => {
    const { parameters, optimizer } = run(3, half);
    const before = parameters[0][5];
    const gradients = gradientsAt(parameters, 3);
    gradients[0][5] = NaN;
    gradients[2].fill(Infinity);
    const untouched = hex(parameters[2]);
    expect(optimizer.step(gradients).skipped).toBe(301);
    expect(parameters[0][5]).toBe(before);
    expect(hex(parameters[2])).toBe(untouched);
    for (const p of parameters) expect(p.every(Number.isFinite)).toBe(true);
  });

  it(
    'the digits are learned as well as with 32 bits: mean log loss of three seeds after 400 steps',
    { timeout: 300_000 },
    async () => {
      const suite = SUITES['digits'];
      const problem = suite.problem();
      const logLoss = async (stateBits: 16 | 32): Promise<number> => {
        let sum = 0;
        for (let seed = 0; seed < 3; seed++) {
          const options = { seed, steps: 400, evaluateEvery: 100, sampling: suite.sampling };
          sum += Math.log(finalLoss((await train(problem, learnedOptimizer({ stateBits }), options)).losses));
        }
        return sum / 3;
      };
      const [whole, halved] = [await logLoss(32), await logLoss(16)];
      expect(whole).toBeLessThan(Math.log(0.05));
      // Several standard errors of such a difference.
      expect(Math.abs(halved - whole)).toBeLessThan(0.3);
    },
  );
});
