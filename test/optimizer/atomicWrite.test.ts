import * as fs from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeWeights, loadWeights, saveWeights } from '../../lib/index';
import { temporaryFolder } from './temporaryFolder';

/** The call of node:fs that fails or is hindered, in place of a disk that is full. */
const fault = vi.hoisted(() => ({ at: '' }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  const orFail =
    <F extends (...args: never[]) => unknown>(name: string, call: F) =>
    (...args: Parameters<F>): unknown => {
      if (fault.at === name)
        throw Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: 'ENOSPC' });
      return call(...args);
    };
  let writes = 0;
  return {
    ...real,
    openSync: orFail('open', real.openSync),
    fsyncSync: orFail('fsync', real.fsyncSync),
    renameSync: orFail('rename', real.renameSync),
    writeSync: (file: number, bytes: Uint8Array, offset: number): number => {
      if (fault.at === 'second write' && writes++ % 2 === 1) throw new Error('ENOSPC: no space left on device, write');
      const length = fault.at === '' ? bytes.length - offset : Math.min(1000, bytes.length - offset);
      return real.writeSync(file, bytes, offset, length);
    },
  };
});

const folder = temporaryFolder();
const path = join(folder, 'weights.safetensors');
const [before, after] = [loadWeights('rmsprop-like'), loadWeights('prototype')];
const contents = (): string => fs.readFileSync(path).toString('hex');
const bytesOf = (weights: typeof before): string => Buffer.from(encodeWeights(weights)).toString('hex');

describe('saveWeights', () => {
  beforeEach(() => {
    fault.at = '';
    saveWeights(path, before);
  });

  it.each(['open', 'second write', 'fsync', 'rename'])(
    'leaves the old file whole and no other behind when %s fails',
    (call) => {
      fault.at = call;
      expect(() => saveWeights(path, after)).toThrow(/ENOSPC/);
      fault.at = '';
      expect(contents()).toBe(bytesOf(before));
      expect(fs.readdirSync(folder)).toEqual(['weights.safetensors']);
    },
  );

  it('replaces the old file', () => {
    saveWeights(path, after);
    expect(contents()).toBe(bytesOf(after));
    expect(fs.readdirSync(folder)).toEqual(['weights.safetensors']);
  });

  it('writes the whole file where the system takes a thousand bytes at a time', () => {
    fault.at = 'short writes';
    saveWeights(path, after);
    expect(contents()).toBe(bytesOf(after));
  });

  it('refuses to replace a folder, and leaves nothing behind', () => {
    const target = join(folder, 'folder');
    fs.mkdirSync(target);
    expect(() => saveWeights(target, after)).toThrow();
    expect(fs.readdirSync(target)).toEqual([]);
    expect(fs.readdirSync(folder).sort()).toEqual(['folder', 'weights.safetensors']);
  });
});
