import { describe, expect, it } from 'vitest';
import {
  createOptimizer,
  info,
  initialWeights,
  DEFAULT_ARCHITECTURE,
  loadWeights,
  SafetensorsError,
} from '../../lib/index';
import type { OptimizerOptions } from '../../lib/index';
import { createRandom } from '../../lib/random';
import { decodeSafetensors, encodeSafetensors } from '../../lib/safetensors';
import type { SafetensorsTensor } from '../../lib/safetensors';
import { start } from '../cli/run';
import {
  ARCHITECTURES,
  attentionWeights,
  bitsOf,
  gradientsAt,
  hex,
  relativeDistance,
  resume,
  run,
  SIZES,
} from './runs';
import type { Run } from './runs';

/** A fresh optimizer over copies of the parameters of a run, with the run's state. */
function restored({ parameters, optimizer }: Run, options?: OptimizerOptions): Run {
  const copies = parameters.map((p) => p.slice());
  const fresh = createOptimizer(copies, options);
  fresh.loadState(optimizer.saveState());
  return { parameters: copies, optimizer: fresh };
}

describe('a run that restores parameters and state', () => {
  const cases = ARCHITECTURES.flatMap(([name, weights]) => [0, 1, 57].map((steps) => [name, steps, weights] as const));

  it.each(cases)('continues bit for bit: %s, after %i steps', (_, steps, weights) => {
    const current = run(steps, { weights });
    const copy = restored(current, { weights });
    expect(copy.optimizer.iterations).toBe(steps);
    expect(bitsOf(copy)).toBe(bitsOf(current));
    expect(hex(...copy.optimizer.evaluationParameters())).toBe(hex(...current.optimizer.evaluationParameters()));
    for (const each of [current, copy]) resume(each, 10);
    expect(bitsOf(copy)).toBe(bitsOf(current));
    expect(bitsOf(current)).toBe(bitsOf(run(steps + 10, { weights })));
  });

  it('continues bit for bit in an optimizer that had gone elsewhere, and after going back', () => {
    const current = run(5);
    const [state, there] = [current.optimizer.saveState(), current.parameters.map((p) => p.slice())];
    resume(current, 20);
    current.parameters.forEach((p, i) => p.set(there[i]));
    current.optimizer.loadState(state);
    resume(current, 5);
    expect(bitsOf(current)).toBe(bitsOf(run(10)));
  });

  it('continues bit for bit with other threads, another initial learning rate, and tensors that had no gradient yet', () => {
    const current = run(0, { threads: 1 });
    for (let i = 0; i < 3; i++) current.optimizer.step([gradientsAt(current.parameters, i)[0], null, null]);
    const copy = restored(current, { threads: 3, initialLearningRate: 1 });
    for (const each of [current, copy]) resume(each, 10);
    expect(bitsOf(copy)).toBe(bitsOf(current));
  });

  it('continues bit for bit with parameters by name', () => {
    const make = (steps: number) => {
      const named = { w: new Float32Array(40).fill(1), b: new Float32Array(4).fill(-1) };
      const optimizer = createOptimizer(named);
      const go = (n: number): void => {
        for (let i = 0; i < n; i++) {
          const [w, b] = gradientsAt([named.w, named.b], optimizer.iterations);
          optimizer.step({ w, b });
        }
      };
      go(steps);
      return { named, optimizer, go };
    };
    const [first, second] = [make(7), make(0)];
    second.named.w.set(first.named.w);
    second.named.b.set(first.named.b);
    second.optimizer.loadState(first.optimizer.saveState());
    for (const each of [first, second]) each.go(7);
    expect(hex(second.named.w, second.named.b)).toBe(hex(first.named.w, first.named.b));
    expect(hex(second.optimizer.saveState())).toBe(hex(first.optimizer.saveState()));
  });

  it('continues bit for bit in double precision', () => {
    const parameters = [Float64Array.of(1, 2, 3)];
    const optimizer = createOptimizer(parameters, { weights: attentionWeights });
    for (let i = 0; i < 5; i++) optimizer.step(gradientsAt(parameters, i));
    const copies = [parameters[0].slice()];
    const copy = createOptimizer(copies, { weights: attentionWeights });
    copy.loadState(optimizer.saveState());
    optimizer.step(gradientsAt(parameters, 5));
    copy.step(gradientsAt(copies, 5));
    expect(hex(copies[0], copy.saveState())).toBe(hex(parameters[0], optimizer.saveState()));
  });
});

describe('saveState', () => {
  it('gives a copy: later steps and changes of the bytes leave each other alone', () => {
    const current = run(3);
    const state = current.optimizer.saveState();
    const before = hex(state);
    resume(current, 1);
    expect(hex(state)).toBe(before);
    const after = bitsOf(current);
    current.optimizer.saveState().fill(0);
    expect(bitsOf(current)).toBe(after);
  });

  it('writes a safetensors file that says what it is', () => {
    const { tensors, metadata } = decodeSafetensors(run(3).optimizer.saveState());
    expect(metadata).toMatchObject({
      format: 'learned-optimizer-state',
      formatVersion: '1',
      iterations: '3',
      stateBits: '32',
      weightsName: 'hrnn-3',
      names: '["0","1","2"]',
    });
    expect(tensors.get('global.hidden')!.shape).toEqual([20]);
    SIZES.forEach((size, i) => {
      expect(tensors.get(`${i}.hidden`)!.shape).toEqual([size, 6]);
      expect(tensors.get(`${i}.momentum`)!.shape).toEqual([size, 4]);
      expect(tensors.get(`${i}.scale`)!.shape).toEqual([size, 4]);
      expect(tensors.get(`${i}.logLearningRate`)!.shape).toEqual([size]);
      expect(tensors.get(`${i}.tensorHidden`)!.shape).toEqual([20]);
    });
  });
});

/** The state of a run after a change of its tensors and metadata. */
function altered(
  state: Uint8Array,
  change: (tensors: Map<string, SafetensorsTensor>, metadata: Record<string, string>) => void,
): Uint8Array {
  const file = decodeSafetensors(state);
  const [tensors, metadata] = [new Map(file.tensors), { ...file.metadata }];
  change(tensors, metadata);
  return encodeSafetensors({ tensors, metadata });
}

/** Sets one value of a tensor of a state. */
const withValue = (name: string, index: number, value: number) => (state: Uint8Array) =>
  altered(state, (tensors) => {
    tensors.get(name)!.data[index] = value;
  });

const withMetadata = (key: string, value: string | undefined) => (state: Uint8Array) =>
  altered(state, (_, metadata) => {
    if (value === undefined) delete metadata[key];
    else metadata[key] = value;
  });

/** Loads bytes into a run of 4 steps: the error must be there, and the run must go on as if nothing had been. */
function expectRefused(bytes: unknown, message: RegExp, options?: OptimizerOptions): void {
  const current = run(4, options);
  const before = bitsOf(current);
  const memory = current.optimizer.bytes;
  expect(() => current.optimizer.loadState(bytes as Uint8Array)).toThrow(message);
  expect(bitsOf(current)).toBe(before);
  expect(current.optimizer.bytes).toBe(memory);
  resume(current, 2);
  expect(bitsOf(current)).toBe(bitsOf(run(6, options)));
}

describe('loadState refuses, and leaves everything as it was,', () => {
  const state = run(9).optimizer.saveState();

  it('the state of other weights, and names both', () => {
    expectRefused(
      run(1, { preset: 'rmsprop-like' }).optimizer.saveState(),
      /^state: it was saved with other weights \('rmsprop-like', this optimizer has 'hrnn-3'\); create the optimizer with/,
    );
  });

  it('the state of other weights of the same name and shape', () => {
    const [a, b] = [1, 2].map((seed) => initialWeights(DEFAULT_ARCHITECTURE, seed));
    expectRefused(run(1, { weights: a }).optimizer.saveState(), /other weights/, { weights: b });
  });

  it('the state of other names, and says which', () => {
    const parameters = { a: new Float32Array(37), b: new Float32Array(1), c: new Float32Array(300) };
    expectRefused(createOptimizer(parameters).saveState(), /^state: parameter 0: expected '0', got 'a'$/);
  });

  it('the state of other sizes, and says which', () => {
    expectRefused(
      run(1, {}, [37, 2, 300]).optimizer.saveState(),
      /^state: tensor '1\.hidden': expected shape \[1, 6\], got \[2, 6\]$/,
    );
    expectRefused(run(1, {}, [37, 1]).optimizer.saveState(), /^state: expected 3 parameters, got 2$/);
    expectRefused(run(1, {}, [37, 1, 300, 4]).optimizer.saveState(), /^state: expected 3 parameters, got 4$/);
  });

  it('the state of the other precision', () => {
    const double = createOptimizer(SIZES.map((size) => new Float64Array(size)));
    expectRefused(double.saveState(), /^state: tensor 'global\.hidden': expected F32$/);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /^bytes: expected a Uint8Array, got undefined$/],
    ['a string', 'state', /^bytes: expected a Uint8Array, got state$/],
    ['other arrays', new Float32Array(4), /^bytes: expected a Uint8Array, got Float32Array of length 4$/],
    ['no bytes', new Uint8Array(0), /^safetensors: /],
    ['half a state', state.subarray(0, state.length / 2), /^safetensors: /],
    ['a state without its last byte', state.subarray(0, -1), /^safetensors: /],
    ['a text', new TextEncoder().encode('{"iterations":4}'), /^safetensors: /],
    ['another safetensors file', encodeSafetensors({ tensors: [] }), /^state: expected a file with metadata format /],
  ])('%s', (_, bytes, message) => {
    expectRefused(bytes, message);
  });

  it.each<[string, (state: Uint8Array) => Uint8Array, RegExp]>([
    ['of a newer format', withMetadata('formatVersion', '2'), /expected format version 1, got 2/],
    ['without iterations', withMetadata('iterations', undefined), /iterations: expected a step count, got 'undefined'/],
    ['with no number for iterations', withMetadata('iterations', ''), /expected a step count, got ''/],
    ['with negative iterations', withMetadata('iterations', '-1'), /expected a step count, got '-1'/],
    ['with too many iterations', withMetadata('iterations', '9'.repeat(20)), /expected a step count, got '9{20}'/],
    ['without names', withMetadata('names', undefined), /metadata names: expected a JSON list of strings/],
    [
      'with names that are no list',
      withMetadata('names', '{"0":0}'),
      /metadata names: expected a JSON list of strings/,
    ],
    ['without a tensor', (s) => altered(s, (t) => t.delete('2.scale')), /^state: tensor '2\.scale' is missing$/],
    [
      'with one more tensor',
      (s) => altered(s, (t) => t.set('3.hidden', { shape: [0], data: new Float32Array(0) })),
      /^state: tensor '3\.hidden' does not belong to a state of this optimizer$/,
    ],
    ['with NaN in a hidden state', withValue('1.hidden', 0, NaN), /hidden.*NaN/],
    ['with infinity in a momentum', withValue('2.momentum', 7, Infinity), /momentum.*Infinity/],
    ['with a negative scale', withValue('2.scale', 7, -1), /scale.*-1/],
    ['with a learning rate of e^99', withValue('2.logLearningRate', 299, 99), /logLearningRate.*99/],
    ['with NaN in a tensor state', withValue('2.tensorHidden', 19, NaN), /tensorHidden\[19\]: .*NaN/],
    ['with NaN in the global state', withValue('global.hidden', 19, NaN), /globalHidden\[19\]: .*NaN/],
    [
      'with positions, which only lookahead has',
      (s) => altered(s, (t) => t.set('0.position', { shape: [37], data: new Float32Array(37) })),
      /position/,
    ],
  ])('a state %s', (_, change, message) => {
    expectRefused(change(state), message);
  });

  it('or takes, 1,000 random mutations of a state, without any other exception', () => {
    const random = createRandom(4);
    const small = (steps: number): Run => run(steps, undefined, [2]);
    const source = small(3).optimizer.saveState();
    const current = small(1);
    let before = bitsOf(current);
    let refused = 0;
    for (let i = 0; i < 1000; i++) {
      const bytes = source.slice();
      for (let n = 1 + random.integer(3); n > 0; n--) bytes[random.integer(bytes.length)] = random.integer(256);
      try {
        current.optimizer.loadState(bytes);
        before = bitsOf(current);
      } catch (error) {
        refused++;
        if (!(error instanceof SafetensorsError || error instanceof RangeError)) throw error;
        expect(bitsOf(current)).toBe(before);
      }
    }
    expect(refused).toBeGreaterThan(500);
    expect(refused).toBeLessThan(1000);
    resume(current, 1);
    expect(current.parameters[0].every(Number.isFinite)).toBe(true);
  });
});

describe('a state saved on one instruction set', () => {
  interface Child {
    readonly isa: string;
    readonly state: string;
    readonly parameters: readonly string[];
    readonly later: readonly string[];
  }
  const floats = (text: string): Float32Array => new Float32Array(Uint8Array.from(Buffer.from(text, 'hex')).buffer);

  it.each([0, 3])('loads on another without loss, and the run goes on alike: %i', async (index) => {
    const [name, weights] = ARCHITECTURES[index];
    const { code, stdout, stderr } = await start('test/optimizer/savedStateChild.ts', [String(index)], {
      LEARNED_OPTIMIZER_ISA: 'baseline',
    }).finished;
    expect(code, stderr).toBe(0);
    const child = JSON.parse(stdout) as Child;
    expect(child.isa).toBe('baseline');
    // On a machine that has only the baseline, both sides run on it.
    if (info().isaAvailable.length > 1) expect(info().isa, name).not.toBe('baseline');

    const parameters = child.parameters.map(floats);
    const optimizer = createOptimizer(parameters, { weights });
    optimizer.loadState(Uint8Array.from(Buffer.from(child.state, 'hex')));
    expect(hex(optimizer.saveState())).toBe(child.state);
    const origin = parameters.map((p) => p.slice());
    resume({ parameters, optimizer }, 20);
    parameters.forEach((p, i) => expect(relativeDistance(p, floats(child.later[i]), origin[i])).toBeLessThan(1e-3));
  });
});

describe('the weights of a state', () => {
  it('may come from the preset, its file or weights: what counts is what they hold', () => {
    const { optimizer } = run(2, { preset: 'prototype' });
    const other = run(0, { weights: loadWeights('prototype') }).optimizer;
    other.loadState(optimizer.saveState());
    expect(other.iterations).toBe(2);
  });
});
