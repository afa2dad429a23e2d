import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, SafetensorsError } from '../../lib/safetensors';
import type { SafetensorsErrorCode } from '../../lib/safetensors';
import { entry, fileOf } from './files';

/** A tensor of two floats that is in order, for files whose other tensor is not. */
const good = entry('good', 'F32', [2], [0, 8]);
const one = (dtype: string, shape: unknown, offsets: unknown, data = 8): Uint8Array =>
  fileOf(`{${entry('x', dtype, shape, offsets)}}`, data);
const raw = (value: string, data = 8): Uint8Array => fileOf(`{"x":${value}}`, data);
const utf8 = (...bytes: number[]): Uint8Array => Uint8Array.from([0x7b, 0x22, ...bytes, 0x22, 0x3a, 0x30, 0x7d]);

const valid = encodeSafetensors({
  tensors: [['x', { shape: [2], data: Float32Array.of(1, 2) }]],
  metadata: { a: 'b' },
});

const corpus: Record<SafetensorsErrorCode, readonly (readonly [what: string, bytes: () => Uint8Array])[]> = {
  TRUNCATED: [
    ['no bytes', () => new Uint8Array(0)],
    ['7 bytes', () => valid.slice(0, 7)],
    ['a header length and no header', () => valid.slice(0, 8)],
    ['half a header', () => valid.slice(0, 30)],
    ['a header length one byte beyond the file', () => fileOf('{}', 0, 3n)],
    ['a header length of 16,000,000 in a small file', () => fileOf('{}', 0, 16_000_000n)],
  ],
  HEADER_TOO_LARGE: [
    ['a header length just above the limit', () => fileOf('{}', 0, 16_000_001n)],
    ['a header length of 2^32 + 2, which is 2 in 32 bits', () => fileOf('{}', 0, 2n ** 32n + 2n)],
    ['a header length of 2^53', () => fileOf('{}', 0, 2n ** 53n)],
    ['a header length of 2^63', () => fileOf('{}', 0, 2n ** 63n)],
    ['a header length of 2^64 − 1', () => fileOf('{}', 0, 2n ** 64n - 1n)],
    ['a big-endian header length', () => fileOf('{}', 0, 2n << 56n)],
    ['a text file', () => new TextEncoder().encode('This is not a safetensors file.')],
  ],
  BAD_HEADER: [
    ['a header of no bytes', () => fileOf('')],
    ['a header that is a list', () => fileOf('[]')],
    ['a header that is null', () => fileOf('null')],
    ['a header that is a number', () => fileOf('1')],
    ['a header that is a string', () => fileOf('"x"')],
    ['spaces before the header', () => fileOf(' {}')],
    ['a byte order mark', () => fileOf('\ufeff{}')],
    ['zeros as padding', () => fileOf('{}\0\0\0')],
    ['two objects', () => fileOf('{}{}')],
    ['an object that does not end', () => fileOf(`{${good}`, 8)],
    ['a string that does not end', () => fileOf('{"x')],
    ['a string that ends in a backslash', () => fileOf('{"x\\')],
    ['a comma too many', () => fileOf(`{${good},}`, 8)],
    ['names in single quotes', () => fileOf("{'x':0}")],
    ['a name with a bad escape', () => fileOf('{"\\q":0}')],
    ['NaN for a number', () => raw('{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}')],
    ['brackets that do not match', () => fileOf('{"x":[}]')],
    ['a lone continuation byte', () => fileOf(utf8(0x80))],
    ['an overlong encoding', () => fileOf(utf8(0xc0, 0xaf))],
    ['a surrogate in UTF-8', () => fileOf(utf8(0xed, 0xa0, 0x80))],
    ['UTF-16', () => fileOf(Uint8Array.from([0xff, 0xfe, 0x7b, 0, 0x7d, 0]))],
    ['nested lists without end', () => fileOf(`{"x":${'['.repeat(1_000_000)}`)],
    ['a million nested lists', () => raw('['.repeat(1_000_000) + ']'.repeat(1_000_000))],
    ['a hundred thousand nested objects', () => raw('{"x":'.repeat(100_000) + '0' + '}'.repeat(100_000))],
  ],
  BAD_METADATA: [
    ['metadata that are a list', () => fileOf('{"__metadata__":[]}')],
    ['metadata that are null', () => fileOf('{"__metadata__":null}')],
    ['metadata that are a string', () => fileOf('{"__metadata__":"x"}')],
    ['metadata with a number', () => fileOf('{"__metadata__":{"a":1}}')],
    ['metadata with an object', () => fileOf('{"__metadata__":{"a":{}}}')],
    ['metadata with null under __proto__', () => fileOf('{"__metadata__":{"__proto__":null}}')],
  ],
  DUPLICATE_NAME: [
    ['the same tensor twice', () => fileOf(`{${good},${good}}`, 8)],
    ['one name with two ranges', () => fileOf(`{${good},${entry('good', 'F32', [2], [8, 16])}}`, 16)],
    ['one name, once with an escape', () => fileOf(`{${good},${good.replace('"g', '"\\u0067')}}`, 8)],
    ['one name, far from its colon', () => fileOf(`{${good},"good"${' '.repeat(5000)}:0}`, 8)],
    ['two tensors named __proto__', () => fileOf(`{"__proto__":0,"__proto__":0}`)],
    ['metadata twice', () => fileOf('{"__metadata__":{},"__metadata__":{}}')],
    ['a key of the metadata twice', () => fileOf('{"__metadata__":{"a":"1","a":"2"}}')],
    ['a field of an entry twice', () => raw('{"dtype":"F32","dtype":"F64","shape":[1],"data_offsets":[0,8]}')],
  ],
  BAD_TENSOR: [
    ['an entry that is null', () => raw('null')],
    ['an entry that is a number', () => raw('0')],
    ['an entry that is a list', () => raw('["F32",[2],[0,8]]')],
    ['an entry without fields', () => raw('{}')],
    ['no dtype', () => raw('{"shape":[2],"data_offsets":[0,8]}')],
    ['a dtype that is a number', () => raw('{"dtype":32,"shape":[2],"data_offsets":[0,8]}')],
    ['no shape', () => raw('{"dtype":"F32","data_offsets":[0,8]}')],
    ['a shape that is a number', () => one('F32', 2, [0, 8])],
    ['a shape with a string', () => one('F32', ['2'], [0, 8])],
    ['a shape with a list', () => one('F32', [[2]], [0, 8])],
    ['a negative size', () => one('F32', [-2], [0, 8])],
    ['two negative sizes whose product fits', () => one('F32', [-1, -2], [0, 8])],
    ['a fractional size', () => one('F32', [0.5, 4], [0, 8])],
    ['a size above 2^53', () => one('F32', [2 ** 54], [0, 8])],
    ['a size that overflows to infinity', () => raw('{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}')],
    ['no data_offsets', () => raw('{"dtype":"F32","shape":[2]}')],
    ['one offset', () => one('F32', [2], [8])],
    ['three offsets', () => one('F32', [2], [0, 8, 8])],
    ['a negative offset', () => one('F32', [2], [-8, 0])],
    ['a fractional offset', () => one('F32', [2], [0.5, 8.5])],
    ['an offset that is a string', () => one('F32', [2], ['0', '8'])],
    ['an offset that is null', () => one('F32', [2], [null, 8])],
    ['an offset that overflows to infinity', () => raw('{"dtype":"F32","shape":[2],"data_offsets":[0,1e999]}')],
    ['the fields under __proto__', () => raw('{"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}')],
    ['an entry named __proto__ that is none', () => fileOf(`{"__proto__":{"x":1},${good}}`, 8)],
  ],
  UNSUPPORTED_DTYPE: [
    ['F16', () => one('F16', [4], [0, 8])],
    ['BF16', () => one('BF16', [4], [0, 8])],
    ['a dtype in lower case', () => one('f32', [2], [0, 8])],
    ['an empty dtype', () => one('', [2], [0, 8])],
    ['the dtype __proto__', () => one('__proto__', [2], [0, 8])],
    ['the dtype constructor', () => one('constructor', [2], [0, 8])],
    ['a dtype of a megabyte', () => one('F'.repeat(1_000_000), [2], [0, 8])],
  ],
  SIZE_MISMATCH: [
    ['a shape larger than the range', () => one('F32', [3], [0, 8])],
    ['a shape smaller than the range', () => one('F32', [1], [0, 8])],
    ['a dtype of other size', () => one('F64', [2], [0, 8])],
    ['a range of half an element', () => one('F32', [1], [0, 6], 6)],
    ['a scalar with two elements', () => one('F32', [], [0, 8])],
    ['an empty tensor with data', () => one('F32', [0], [0, 8])],
    ['a product above 2^53', () => one('F32', [2 ** 40, 2 ** 40], [0, 8])],
    ['a product of 2^64, which is 0 in 64 bits', () => one('F32', [2 ** 32, 2 ** 32], [0, 0], 0)],
    ['a product of 2^64 + 8 in bytes', () => one('F32', [2 ** 31 + 1, 2 ** 31], [0, 8])],
    ['a product that overflows to infinity', () => one('F32', Array(30).fill(2 ** 50), [0, 8])],
    ['infinity times nothing', () => one('F32', [...Array(30).fill(2 ** 50), 0], [0, 0], 0)],
    ['a million dimensions', () => one('F32', Array(1_000_000).fill(1), [0, 8])],
  ],
  BAD_OFFSETS: [
    ['data cut short', () => valid.slice(0, -1)],
    ['no data', () => valid.slice(0, -8)],
    ['bytes after the data', () => Uint8Array.from([...valid, 0])],
    ['data without tensors', () => fileOf('{}', 8)],
    ['a range beyond the data', () => one('F32', [4], [0, 16])],
    ['a range of 2^53 − 1 bytes', () => one('F32', [2], [0, 2 ** 53 - 1])],
    ['a reversed range', () => one('F32', [2], [8, 0])],
    ['a range that begins beyond the data', () => one('F32', [0], [9, 9])],
    ['a hole before the first tensor', () => one('F32', [1], [4, 8])],
    ['a hole after the last tensor', () => one('F32', [1], [0, 4])],
    ['a hole between two', () => fileOf(`{${good},${entry('x', 'F32', [1], [12, 16])}}`, 16)],
    ['two tensors with one range', () => fileOf(`{${good},${entry('x', 'F32', [2], [0, 8])}}`, 8)],
    ['overlapping ranges', () => fileOf(`{${good},${entry('x', 'F32', [2], [4, 12])}}`, 12)],
    ['a range within another', () => fileOf(`{${good},${entry('x', 'F32', [0], [4, 4])}}`, 8)],
  ],
};

describe.each(Object.entries(corpus))('refused with %s', (code, files) => {
  it.each(files)('%s', (_, bytes) => {
    let error: unknown;
    try {
      decodeSafetensors(bytes());
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(SafetensorsError);
    expect((error as SafetensorsError).code).toBe(code);
    expect((error as SafetensorsError).message).toMatch(/^safetensors: ./);
    // Names and shapes of a damaged file can be megabytes long; the message is for a person.
    expect((error as SafetensorsError).message.length).toBeLessThan(600);
  });
});

describe('a message', () => {
  it('names the tensor, what was expected and what came', () => {
    expect(() => decodeSafetensors(one('F32', [3], [0, 8]))).toThrow(
      "tensor 'x': shape [3] of F32 needs 12 bytes, the range has 8",
    );
    expect(() => decodeSafetensors(one('F16', [4], [0, 8]))).toThrow("tensor 'x': dtype F16, supported: F32, F64, I64");
  });

  it('is cut where a name is a million characters long', () => {
    const name = 'n'.repeat(1_000_000);
    expect(() => decodeSafetensors(fileOf(`{"${name}":0}`))).toThrow(/^safetensors: tensor 'n{400,}…$/);
  });
});
