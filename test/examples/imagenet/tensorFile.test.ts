import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TensorFile, writeTensorFile } from '../../../examples/imagenet/training/tensorFile';
import type { TensorSource } from '../../../examples/imagenet/training/tensorFile';
import { decodeSafetensors } from '../../../lib/safetensors';

const dir = mkdtempSync(join(tmpdir(), 'imagenet-tensors-'));
afterAll(() => rmSync(dir, { recursive: true }));
const path = join(dir, 'file.safetensors');

const tensor = (name: string, shape: number[], values: number[]): TensorSource => ({
  ...{ name, shape, dtype: 'F32' },
  read: () => Float32Array.from(values),
});

describe('tensor files', () => {
  it('hold what was written, as safetensors that others read', () => {
    writeTensorFile(path, [tensor('b/x', [2, 3], [1, 2, 3, 4, 5, 6]), tensor('a', [], [7]), tensor('e', [0], [])], {
      key: 'välue',
    });
    const file = new TensorFile(path);
    expect(file.names).toEqual(['b/x', 'a', 'e']);
    expect(file.metadata).toEqual({ key: 'välue' });
    expect(file.read('b/x')).toEqual({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    expect(() => file.read('c')).toThrow(`${path}: there is no tensor 'c'`);
    file.close();
    const { tensors, metadata } = decodeSafetensors(readFileSync(path));
    expect([metadata['key'], tensors.get('a')!.data]).toEqual(['välue', Float32Array.of(7)]);
  });

  it('keep integers', () => {
    writeTensorFile(path, [{ name: 'n', dtype: 'I32', shape: [1], read: () => Int32Array.of(20_000_001) }], {});
    const file = new TensorFile(path);
    expect(file.read('n').data).toEqual(Int32Array.of(20_000_001));
    file.close();
  });

  it('stay as they are when writing fails, with nothing beside them', () => {
    writeTensorFile(path, [tensor('a', [1], [1])], {});
    const before = readFileSync(path);
    const failing = {
      ...tensor('b', [1], []),
      read: () => {
        throw new Error('lost');
      },
    };
    expect(() => writeTensorFile(path, [tensor('a', [1], [2]), failing], {})).toThrow('lost');
    expect(() => writeTensorFile(path, [tensor('a', [2], [2])], {})).toThrow(
      /tensor 'a': expected 2 values of F32, got 1/,
    );
    expect(() => writeTensorFile(path, [tensor('a', [0], []), tensor('a', [0], [])], {})).toThrow(/a name of its own/);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(dir)).toEqual(['file.safetensors']);
  });

  it('that are damaged are refused by name', () => {
    writeTensorFile(path, [tensor('a', [4], [1, 2, 3, 4])], {});
    const whole = readFileSync(path);
    const refused = (bytes: Uint8Array, message: RegExp): void => {
      writeFileSync(path, bytes);
      expect(() => new TensorFile(path)).toThrow(message);
    };
    refused(whole.subarray(0, 5), /file\.safetensors: expected a safetensors file, but it ends before its header does/);
    refused(whole.subarray(0, 20), /ends before its header/);
    refused(whole.subarray(0, whole.length - 1), /tensor 'a' does not fit/);
    refused(Buffer.from(whole).fill('x', 8, 9), /its header is not JSON/);
  });
});
