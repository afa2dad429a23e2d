import { expect, it } from 'vitest';
import { allocateDeviceArray, createOptimizer, DeviceOptimizer } from '../../lib/index';
import type { DeviceArray, OptimizerOptions } from '../../lib/index';
import { attentionWeights, hex, normals, run, startParameters } from '../optimizer/runs';
import { describeEmulated, withSetting } from './emulation';

const CUDA: OptimizerOptions = { device: 'cuda' };
const upload = (arrays: readonly Float32Array[]): DeviceArray[] => arrays.map((a) => allocateDeviceArray(a));

describeEmulated('parameters in device memory', () => {
  it.each<[string, OptimizerOptions]>([
    ['the default preset', {}],
    ['attention and clipping', { weights: attentionWeights, clipNorm: 2 }],
    ['16 bits', { stateBits: 16, weightDecay: 0.01 }],
  ])('step with the bits of arrays of the host: %s', (_, options) => {
    const host = run(0, { ...options, ...CUDA });
    const tensors = upload(startParameters());
    const device = createOptimizer(tensors, { ...options, ...CUDA });
    expect(device).toBeInstanceOf(DeviceOptimizer);
    for (let i = 0; i < 5; i++) {
      const gradients = host.parameters.map((p, t) => normals(p.length, 50 * i + t));
      gradients[0][3] = NaN;
      const there = upload(gradients);
      expect(device.step(i === 2 ? [there[0], null, there[2]] : there)).toBe(i + 1);
      const report = host.optimizer.step(i === 2 ? [gradients[0], null, gradients[2]] : gradients);
      expect(device.report()).toEqual(report);
      for (const g of there) g.free();
    }
    expect(hex(...tensors.map((t) => t.download()))).toBe(hex(...host.parameters));
    expect(hex(...device.evaluationParameters())).toBe(hex(...host.optimizer.evaluationParameters()));
    expect(hex(device.saveState())).toBe(hex(host.optimizer.saveState()));
    const copy = createOptimizer(tensors, { ...options, ...CUDA });
    copy.loadState(device.saveState());
    expect(hex(copy.saveState())).toBe(hex(device.saveState()));
  });

  it('may go by name and by addresses of other programs', () => {
    const memory = allocateDeviceArray(100);
    memory.upload(new Float32Array(100));
    const w = { deviceAddress: memory.deviceAddress, length: 60 };
    const b = { deviceAddress: memory.deviceAddress + 240n, length: 10 };
    const optimizer = createOptimizer({ w, b }, CUDA);
    const g = allocateDeviceArray(normals(60, 1));
    optimizer.step({ w: g, b: null }, { stream: 0n });
    const { w: after, b: same } = optimizer.evaluationParameters();
    expect(after.every((v) => v !== 0)).toBe(true);
    expect(same.every((v) => v === 0)).toBe(true);
    expect(optimizer.step({ w: null, b: null })).toBe(2);
    expect(optimizer.report()).toEqual({ iteration: 2, gradientNorm: NaN, skipped: 0 });
    optimizer.dispose();
    expect(() => optimizer.report()).toThrow(/disposed/);
  });

  it('are refused when they do not fit', () => {
    const at = (deviceAddress: unknown, length: unknown): never => ({ deviceAddress, length }) as never;
    const make =
      (params: unknown, options: object = CUDA) =>
      () =>
        createOptimizer(params as never, options);
    expect(make([at(64n, 3)], {})).toThrow(/^device: expected 'cuda' with parameters in device memory, got 'cpu'$/);
    expect(make([at(64, 3)])).toThrow(/^params\.0: expected a tensor in device memory/);
    expect(make([at(64n, 0)])).toThrow(/^params\.0\.length: expected a whole number/);
    expect(make([at(66n, 1)])).toThrow(/^params\.0\.deviceAddress: expected an address .* multiple of 4, got 66$/);
    expect(make({ a: at(64n, 3), b: at(72n, 1) })).toThrow(/got a and b overlapping$/);
    expect(make([at(64n, 3), new Float32Array(3)])).toThrow(/^params\.1: expected a tensor in device memory/);
    const p = allocateDeviceArray(3);
    const optimizer = createOptimizer([p], CUDA);
    expect(() => optimizer.step([at(64n, 2)])).toThrow(/^gradients\.0: expected a tensor of length 3, got 2$/);
    expect(() => optimizer.step([p])).toThrow(/shares no memory/);
    expect(() => optimizer.step([at(64n, 3)], { stream: 1 as never })).toThrow(/^stream: expected a bigint, got 1$/);
    expect(() => createOptimizer([new Float32Array(3)]).step([p as never])).toThrow(
      /^gradients\.0: expected Float32Array/,
    );
    expect(optimizer.iterations).toBe(0);
    p.free();
    p.free();
    expect(() => p.download()).toThrow('the device array was freed');
  });

  it('are copied in parts, and refused where memory runs out', () => {
    const memory = allocateDeviceArray(5);
    memory.upload(Float32Array.of(1, 2, 3, 4, 5));
    memory.upload(Float32Array.of(9));
    expect([...memory.download()]).toEqual([9, 2, 3, 4, 5]);
    expect([...memory.download(new Float32Array(2))]).toEqual([9, 2]);
    expect(() => memory.upload(new Float32Array(6))).toThrow(/length 5 at most, got 6/);
    expect(() => allocateDeviceArray(0)).toThrow(/^length: /);
    expect(() => allocateDeviceArray(1, { deviceIndex: 4 })).toThrow(
      /^deviceIndex: expected 0, the only device, got 4/,
    );
    withSetting('MEMORY', 100, () => expect(() => allocateDeviceArray(50)).toThrow(/^CUDA: out of memory/));
  });
});
