import { expect, it } from 'vitest';
import { createOptimizer } from '../../lib/index';
import type { OptimizerOptions } from '../../lib/index';
import { goldenFiles } from '../golden/files';
import { replay } from '../golden/replay';
import {
  ARCHITECTURES,
  bitsOf,
  gradientsAt,
  hex,
  normals,
  relativeDistance,
  resume,
  run,
  SIZES,
} from '../optimizer/runs';
import { describeEmulated, EMULATION } from './emulation';

const CUDA: OptimizerOptions = { device: 'cuda' };
/** Rounding of float32 steps, added up in another order. */
const CLOSE = 1e-4;

describeEmulated("device: 'cuda', for arrays of the host", () => {
  it.each(goldenFiles().map((golden) => [golden.file, golden] as const))(
    "reproduces the paper's released code: %s",
    (_, golden) => {
      const deviations = replay(golden, 'float32', { cuda: { library: EMULATION, device: 0 } });
      for (const { quantity, worst } of deviations) expect(worst, quantity).toBeLessThanOrEqual(2e-4);
    },
  );

  it.each(ARCHITECTURES)('steps as the CPU does, reports included: %s', (_, weights) => {
    const options = { weights, clipNorm: 3, weightDecay: 1e-3, learningRateMultiplier: 0.5 };
    const [cpu, cuda] = [run(0, options), run(0, { ...options, ...CUDA })];
    const start = cpu.parameters.map((p) => p.slice());
    for (let i = 0; i < 12; i++) {
      const gradients = gradientsAt(cpu.parameters, i);
      gradients[2].set([NaN, Infinity], 7);
      const some = i % 4 === 3 ? [gradients[0], null, gradients[2]] : gradients;
      const [a, b] = [cpu.optimizer.step(some), cuda.optimizer.step(some)];
      expect(b).toEqual({ ...a, gradientNorm: expect.closeTo(a.gradientNorm, 4) });
    }
    const [a, b] = [cpu.optimizer.evaluationParameters(), cuda.optimizer.evaluationParameters()];
    a.forEach((p, i) => expect(relativeDistance(b[i], p, start[i])).toBeLessThan(CLOSE));
    cpu.parameters.forEach((p, i) => expect(relativeDistance(cuda.parameters[i], p, start[i])).toBeLessThan(CLOSE));
  });

  it('stays within 1 % of the CPU over 1,000 steps with the same gradients', { timeout: 120_000 }, () => {
    const parameters = [new Float32Array(40), new Float32Array(3)];
    const others = parameters.map((p) => p.slice());
    const [cpu, cuda] = [createOptimizer(parameters), createOptimizer(others, CUDA)];
    for (let i = 0; i < 1000; i++) {
      const gradients = parameters.map((p, t) => normals(p.length, 10 * i + t));
      cpu.step(gradients);
      cuda.step(gradients);
    }
    parameters.forEach((p, i) => expect(relativeDistance(others[i], p, new Float32Array(p.length))).toBeLessThan(0.01));
  });

  it('gives the same bits in each run, and off the event loop', async () => {
    const once = run(4, CUDA);
    expect(bitsOf(run(4, CUDA))).toBe(bitsOf(once));
    const current = run(0, CUDA);
    for (let i = 0; i < 4; i++) {
      const pending = current.optimizer.stepAsync(gradientsAt(current.parameters, i));
      expect(() => current.optimizer.saveState()).toThrow(/in progress/);
      expect(await pending).toEqual({ iteration: i + 1, gradientNorm: NaN, skipped: 0 });
    }
    expect(bitsOf(current)).toBe(bitsOf(once));
  });

  it('takes a step of no tensors, and holds memory until it is disposed', () => {
    const { optimizer, parameters } = run(1, CUDA);
    const bits = hex(...parameters);
    expect(optimizer.step([null, null, null])).toEqual({ iteration: 2, gradientNorm: NaN, skipped: 0 });
    expect(hex(...parameters)).toBe(bits);
    const clipped = (['cpu', 'cuda'] as const).map((device) => run(0, { device, clipNorm: 1 }).optimizer);
    const [a, b] = clipped.map((each) => each.step([null, null, null]));
    expect(b).toEqual(a);
    expect(optimizer.bytes).toBeGreaterThan(338 * 68);
    optimizer.dispose();
    expect(optimizer.bytes).toBe(0);
    expect(() => optimizer.step([null, null, null])).toThrow(/disposed/);
  });
});

describeEmulated('a run moves between devices with its state', () => {
  it.each(ARCHITECTURES.slice(0, 4))('in the middle, to CUDA and back: %s', (_, weights) => {
    for (const bits of [32, 16] as const) {
      const options = { weights, stateBits: bits };
      // Two runs of the CPU with the same steps, of which one goes on elsewhere from step 6 to step 9.
      const stay = run(6, options);
      const away = run(6, options);
      const there = {
        parameters: away.parameters,
        optimizer: createOptimizer(away.parameters, { ...options, ...CUDA }),
      };
      there.optimizer.loadState(away.optimizer.saveState());
      expect(hex(there.optimizer.saveState())).toBe(hex(away.optimizer.saveState()));
      resume(there, 3);
      const back = { parameters: away.parameters, optimizer: createOptimizer(away.parameters, options) };
      back.optimizer.loadState(there.optimizer.saveState());
      expect(hex(back.optimizer.saveState())).toBe(hex(there.optimizer.saveState()));
      resume(back, 3);
      resume(stay, 6);
      expect(back.optimizer.iterations).toBe(12);
      const start = SIZES.map((size, i) => normals(size, 100 + i));
      // In 16 bits a rounding may fall to the other side.
      const tolerance = bits === 32 ? CLOSE : 5e-2;
      stay.parameters.forEach((p, i) =>
        expect(relativeDistance(back.parameters[i], p, start[i])).toBeLessThan(tolerance),
      );
    }
  });

  it('continues bit for bit in another optimizer on CUDA, and refuses what the CPU refuses', () => {
    const current = run(5, CUDA);
    const copy = { parameters: current.parameters.map((p) => p.slice()), optimizer: run(2, CUDA).optimizer };
    copy.optimizer = createOptimizer(copy.parameters, CUDA);
    const before = hex(copy.optimizer.saveState());
    expect(() => copy.optimizer.loadState(new Uint8Array(9))).toThrow();
    expect(() => copy.optimizer.loadState(run(1, { weights: ARCHITECTURES[3][1] }).optimizer.saveState())).toThrow(
      /other weights/,
    );
    expect(hex(copy.optimizer.saveState())).toBe(before);
    copy.optimizer.loadState(current.optimizer.saveState());
    for (const each of [current, copy]) resume(each, 5);
    expect(bitsOf(copy)).toBe(bitsOf(current));
  });
});
