import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { decodeSafetensors, encodeSafetensors } from '../../lib/safetensors';
import type { SafetensorsData, SafetensorsTensor } from '../../lib/safetensors';
import { dataOf, entry, fileOf, headerText } from './files';

const bits = (data: SafetensorsData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const tensor = (data: SafetensorsData, shape: readonly number[] = [data.length]): SafetensorsTensor => ({
  shape,
  data,
});

interface WrittenEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

describe('what was encoded decodes', () => {
  it.each([
    ['F32', Float32Array.of(1.5, -0, NaN, Infinity, -Infinity, 1e-45, 3.4e38)],
    ['F64', Float64Array.of(Math.PI, -0, NaN, Infinity, -Infinity, 5e-324, 1.7e308)],
    ['I64', BigInt64Array.of(0n, -1n, 2n ** 63n - 1n, -(2n ** 63n))],
  ])('to the same bits, type and shape: %s', (_, data) => {
    const { tensors } = decodeSafetensors(encodeSafetensors({ tensors: [['x', tensor(data)]] }));
    expect([...tensors.keys()]).toEqual(['x']);
    expect(tensors.get('x')!.shape).toEqual([data.length]);
    expect(tensors.get('x')!.data.constructor).toBe(data.constructor);
    expect(bits(tensors.get('x')!.data)).toEqual(bits(data));
  });

  it('with scalars, empty tensors, no tensors and no metadata', () => {
    const file = decodeSafetensors(
      encodeSafetensors({
        tensors: [
          ['scalar', tensor(Float32Array.of(7), [])],
          ['empty', tensor(new Float64Array(0), [3, 0, 2])],
        ],
      }),
    );
    expect(file.tensors.get('scalar')).toEqual({ shape: [], data: Float32Array.of(7) });
    expect(file.tensors.get('empty')).toEqual({ shape: [3, 0, 2], data: new Float64Array(0) });
    expect(file.metadata).toEqual({});
    expect(decodeSafetensors(encodeSafetensors({ tensors: [] })).tensors.size).toBe(0);
  });

  it('whatever the names, metadata and lengths are', () => {
    const anyString = fc.string({ unit: 'binary', maxLength: 12 });
    const name = fc.oneof(anyString, fc.constantFrom('__proto__', 'constructor', '0', '10', '"', '\\')).filter(
      // The one name that the format keeps for itself.
      (n) => n !== '__metadata__',
    );
    const data = fc.oneof(
      fc.float32Array({ maxLength: 9 }),
      fc.float64Array({ maxLength: 9 }),
      fc.bigInt64Array({ maxLength: 9 }),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, data), { selector: ([n]) => n, maxLength: 6 }),
        fc.dictionary(anyString, anyString, { maxKeys: 5 }),
        (list, metadata) => {
          const encoded = encodeSafetensors({ tensors: list.map(([n, d]) => [n, tensor(d)]), metadata });
          const decoded = decodeSafetensors(encoded);
          expect(decoded.tensors.size).toBe(list.length);
          for (const [n, d] of list) {
            expect(decoded.tensors.get(n)!.data.constructor).toBe(d.constructor);
            expect(bits(decoded.tensors.get(n)!.data)).toEqual(bits(d));
          }
          expect({ ...decoded.metadata }).toEqual({ ...metadata });
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  it('in the order of the data, also where names look like numbers', () => {
    const names = ['10', 'b', '2', 'a'];
    const encoded = encodeSafetensors({ tensors: names.map((n, i) => [n, tensor(Float32Array.of(i))]) });
    expect([...decodeSafetensors(encoded).tensors.keys()]).toEqual(names);
    expect([...new Float32Array(dataOf(encoded).buffer)]).toEqual([0, 1, 2, 3]);
  });

  it('to copies: neither the source nor the bytes are shared', () => {
    const source = Float32Array.of(1, 2);
    const encoded = encodeSafetensors({ tensors: [['x', tensor(source)]] });
    source[0] = 9;
    const { data } = decodeSafetensors(encoded).tensors.get('x')!;
    encoded.fill(0);
    expect(data).toEqual(Float32Array.of(1, 2));
  });

  it('from a view at an odd place of a larger buffer, and of a part of an array', () => {
    const part = new Float64Array([9, 1, 2, 9]).subarray(1, 3);
    const encoded = encodeSafetensors({ tensors: [['x', tensor(part)]] });
    const roomy = new Uint8Array(encoded.length + 6);
    roomy.set(encoded, 3);
    const { tensors } = decodeSafetensors(roomy.subarray(3, 3 + encoded.length));
    expect(tensors.get('x')!.data).toEqual(Float64Array.of(1, 2));
  });
});

describe('the bytes written are those of the format', () => {
  const encoded = encodeSafetensors({
    tensors: [
      ['a', tensor(Float32Array.of(1, 2, 3), [3, 1])],
      ['b', tensor(BigInt64Array.of(-2n))],
      ['c', tensor(Float64Array.of(0.5, 0.25), [1, 2])],
    ],
    metadata: { format: 'test', text: 'ü "quoted"' },
  });
  const header = JSON.parse(headerText(encoded)) as Record<string, WrittenEntry> & {
    __metadata__: Record<string, string>;
  };

  it('8 bytes of header length, little-endian, then the header', () => {
    const length = encoded[0] + 256 * encoded[1];
    expect([...encoded.subarray(2, 8)]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(encoded.length).toBe(8 + length + 3 * 4 + 8 + 2 * 8);
    expect(String.fromCharCode(encoded[8])).toBe('{');
  });

  it('a header padded with spaces so that the data begin on an 8-byte boundary', () => {
    for (let length = 1; length <= 16; length++) {
      const bytes = encodeSafetensors({ tensors: [['n'.repeat(length), tensor(Float32Array.of(1))]] });
      const text = headerText(bytes);
      expect(text.length % 8).toBe(0);
      expect(text).toMatch(/^\{.*\} {0,7}$/);
    }
  });

  it('entries with dtype, shape and offsets from the start of the data, without gaps, in the order given', () => {
    const { __metadata__: _, ...entries } = header;
    expect(entries).toEqual({
      a: { dtype: 'F32', shape: [3, 1], data_offsets: [0, 12] },
      b: { dtype: 'I64', shape: [1], data_offsets: [12, 20] },
      c: { dtype: 'F64', shape: [1, 2], data_offsets: [20, 36] },
    });
  });

  it('metadata as strings under __metadata__', () => {
    expect(header.__metadata__).toEqual({ format: 'test', text: 'ü "quoted"' });
  });

  it('row-major little-endian data', () => {
    const view = new DataView(dataOf(encoded).buffer);
    expect([0, 4, 8].map((at) => view.getFloat32(at, true))).toEqual([1, 2, 3]);
    expect(view.getBigInt64(12, true)).toBe(-2n);
    expect([20, 28].map((at) => view.getFloat64(at, true))).toEqual([0.5, 0.25]);
  });

  it('the same for the same input', () => {
    const again = decodeSafetensors(encoded);
    expect(encodeSafetensors(again)).toEqual(encoded);
  });
});

describe('files of other writers are read', () => {
  const data = new Uint8Array(Float32Array.of(1, 2, 3).buffer);

  it('with whitespace in the header, entries out of order and fields in any order', () => {
    const text = `{ "late" : {"shape":[1], "data_offsets":[8, 12], "dtype":"F32"},\n\t"early":{"data_offsets":[0,8],"dtype":"F32","shape":[2]} }   `;
    const { tensors } = decodeSafetensors(fileOf(text, data));
    expect(tensors.get('early')!.data).toEqual(Float32Array.of(1, 2));
    expect(tensors.get('late')!.data).toEqual(Float32Array.of(3));
  });

  it('with data that are not aligned to their type', () => {
    const text = `{${entry('x', 'F32', [3], [0, 12])}}`;
    for (let padding = 0; padding < 8; padding++) {
      const { tensors } = decodeSafetensors(fileOf(text + ' '.repeat(padding), data));
      expect(tensors.get('x')!.data).toEqual(Float32Array.of(1, 2, 3));
    }
  });

  it('with the names of Object.prototype, which stay names', () => {
    const text = `{${entry('__proto__', 'F32', [1], [0, 4])},${entry('toString', 'F32', [2], [4, 12])},"__metadata__":{"__proto__":"p"}}`;
    const { tensors, metadata } = decodeSafetensors(fileOf(text, data));
    expect([...tensors.keys()]).toEqual(['__proto__', 'toString']);
    expect(Object.entries(metadata)).toEqual([['__proto__', 'p']]);
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['dtype']).toBeUndefined();
  });

  it('with an empty header', () => {
    expect(decodeSafetensors(fileOf('{}')).tensors.size).toBe(0);
  });
});

describe('what makes no valid file is not encoded', () => {
  const x = Float32Array.of(1, 2, 3);
  const encode = (name: string, t: SafetensorsTensor) => (): Uint8Array => encodeSafetensors({ tensors: [[name, t]] });

  it.each([
    ['a shape of another size', [2], /tensor 'x': shape \[2\] needs 2 elements, got 3/],
    ['a fractional size', [1.5, 2], /tensor 'x': shape: expected integers of at least 0, got \[1\.5, 2\]/],
    ['negative sizes', [-1, -3], /expected integers of at least 0, got \[-1, -3\]/],
    ['a size that is no number', [NaN], /expected integers of at least 0, got \[NaN\]/],
  ])('%s', (_, shape, message) => {
    expect(encode('x', tensor(x, shape))).toThrow(RangeError);
    expect(encode('x', tensor(x, shape))).toThrow(message);
  });

  it('the name __metadata__, or one name twice', () => {
    expect(encode('__metadata__', tensor(x))).toThrow(/'__metadata__' is reserved or used twice/);
    const twice = (name: string) => (): Uint8Array =>
      encodeSafetensors({
        tensors: [
          [name, tensor(x)],
          [name, tensor(x)],
        ],
      });
    expect(twice('x')).toThrow(/'x' is reserved or used twice/);
    expect(twice('__proto__')).toThrow(/'__proto__' is reserved or used twice/);
  });

  it('data of another type', () => {
    expect(encode('x', { shape: [1], data: Int8Array.of(1) as unknown as Float32Array })).toThrow(TypeError);
  });

  it('a header larger than a reader accepts', () => {
    expect(() => encodeSafetensors({ tensors: [], metadata: { m: 'x'.repeat(16_000_000) } })).toThrow(
      /expected a header of at most 16000000 bytes, got 160000/,
    );
  });
});
