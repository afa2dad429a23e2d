import { describe, expect, it } from 'vitest';
import { createOptimizer, info } from '../../lib/index';
import type { OptimizerOptions } from '../../lib/index';
import { bitsOf, detached, gradientsAt, hex, normals, resume, run } from '../optimizer/runs';
import { describeEmulated, withSetting } from './emulation';

const CUDA: OptimizerOptions = { device: 'cuda' };
const create = (options: object) => () => createOptimizer([new Float32Array(3)], options);

describe('the options of devices', () => {
  it.each<[object, RegExp]>([
    [{ device: 'gpu' }, /^device: expected 'cpu' or 'cuda', got 'gpu'$/],
    [{ device: 1 }, /^device: expected 'cpu' or 'cuda', got 1$/],
    [{ deviceIndex: 0 }, /^deviceIndex: expected none without device: 'cuda', got 0$/],
    [{ device: 'cuda', deviceIndex: 0.5 }, /^deviceIndex: expected a whole number of at least 0, got 0.5$/],
    [{ device: 'cuda', deviceIndex: '0' }, /^deviceIndex: expected a whole number of at least 0, got '0'$/],
  ])('are refused when they are %o', (options, message) => {
    expect(create(options)).toThrow(message);
  });

  it('are single precision only', () => {
    expect(() => createOptimizer([new Float64Array(3)], CUDA)).toThrow(/^device: expected 'cpu' with Float64Arrays/);
  });
});

describeEmulated('what fails on a device', () => {
  it('a device that is not there is an error that says how many there are', () => {
    expect(create({ ...CUDA, deviceIndex: 1 })).toThrow(/^cuda.device: expected 0, the only device, got 1$/);
    withSetting('DEVICES', 3, () => {
      expect(create({ ...CUDA, deviceIndex: 3 })).toThrow(/^cuda.device: expected a device from 0 to 2, got 3$/);
      expect(info().cuda.devices.map(({ index }) => index)).toEqual([0, 1, 2]);
      const parameters = [normals(4, 1)];
      createOptimizer(parameters, { ...CUDA, deviceIndex: 2 }).step([normals(4, 2)]);
      expect(hex(...parameters)).not.toBe(hex(normals(4, 1)));
    });
  });

  it('no device is an error that says why', () => {
    withSetting('DEVICES', 0, () => {
      expect(create(CUDA)).toThrow(/^CUDA is not available: .*driver.* \(device: 'cpu', the default, needs no CUDA\)$/);
      expect(info().cuda).toMatchObject({ available: false, devices: [] });
      expect(info().cuda.reason).toMatch(/^[^:]*driver[^']*$/);
    });
  });

  it('bad buffers are refused as on the CPU, and nothing changes', () => {
    const current = run(2, CUDA);
    const before = bitsOf(current);
    const [a, b, c] = gradientsAt(current.parameters, 2);
    const { optimizer, parameters } = current;
    expect(() => optimizer.step([a, b])).toThrow(/^gradients: expected an array of length 3/);
    expect(() => optimizer.step([a, b, c.subarray(1)])).toThrow(/^gradients\.2: expected Float32Array of length 300/);
    expect(() => optimizer.step([parameters[0], b, c])).toThrow(/memory/);
    expect(() => optimizer.step([detached(a.slice()), b, c])).toThrow(/^gradients\.0: /);
    const buffer = new Float32Array(10);
    expect(() => createOptimizer([buffer, buffer], CUDA)).toThrow(/overlapping/);
    expect(bitsOf(current)).toBe(before);
  });

  it('a parameter that is detached during stepAsync is named, and the others are updated', async () => {
    const { optimizer, parameters } = run(1, CUDA);
    const before = parameters.map((p) => hex(p));
    const pending = optimizer.stepAsync(gradientsAt(parameters, 1));
    detached(parameters[0]);
    await expect(pending).rejects.toThrow(/^stepAsync: the buffer of parameter 0 was detached/);
    expect(optimizer.iterations).toBe(2);
    expect(hex(parameters[2])).not.toBe(before[2]);
  });

  it('without memory the optimizer is as it was', () => {
    const current = run(2, CUDA);
    const before = bitsOf(current);
    const fresh = { parameters: current.parameters, optimizer: createOptimizer(current.parameters, CUDA) };
    withSetting('MEMORY', 1000, () => {
      const error = /^CUDA: out of memory: allocating \d+ bytes: out of memory; nothing has changed/;
      expect(create(CUDA)).toThrow(error);
      expect(() => fresh.optimizer.step(gradientsAt(fresh.parameters, 0))).toThrow(error);
      expect(() => fresh.optimizer.step(gradientsAt(fresh.parameters, 0))).toThrow(
        expect.objectContaining({ code: 'ERR_CUDA_OUT_OF_MEMORY' }) as Error,
      );
      expect(() => current.optimizer.loadState(fresh.optimizer.saveState())).toThrow(error);
    });
    expect(bitsOf(current)).toBe(before);
    resume(current, 2);
    expect(bitsOf(current)).toBe(bitsOf(run(4, CUDA)));
  });

  it('a lost device says so, off the event loop too', async () => {
    const { optimizer, parameters } = run(1, CUDA);
    const gradients = gradientsAt(parameters, 1);
    process.env['LO_EMULATION_LOST'] = '1';
    try {
      expect(() => optimizer.step(gradients)).toThrow(
        /^CUDA: the device was lost: .*illegal memory access.* new process/,
      );
      await expect(optimizer.stepAsync(gradients)).rejects.toMatchObject({ code: 'ERR_CUDA_LOST' });
      expect(() => optimizer.saveState()).toThrow(/the device was lost/);
    } finally {
      delete process.env['LO_EMULATION_LOST'];
    }
  });
});
