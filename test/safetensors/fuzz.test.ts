import { describe, expect, it } from 'vitest';
import { createRandom } from '../../lib/random';
import type { Random } from '../../lib/random';
import { decodeSafetensors, encodeSafetensors, SafetensorsError } from '../../lib/safetensors';
import { dataOf, fileOf, headerText } from './files';

const RUNS = 5000;

const valid = encodeSafetensors({
  tensors: [
    ['weights', { shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ['bias', { shape: [2], data: Float64Array.of(1, 2) }],
    ['steps', { shape: [], data: BigInt64Array.of(7n) }],
  ],
  metadata: { format: 'fuzz', text: 'naïve ☃' },
});

/** Bytes that mean something in a header, so that many mutations get past the JSON parser. */
const MEANINGFUL = new TextEncoder().encode('{}[]",:\\0123456789-.eF3264I ntu_');

function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return bytes;
  const at = random.integer(bytes.length);
  const upTo = Math.min(bytes.length, at + 1 + random.integer(24));
  const value = random.integer(2) === 0 ? random.integer(256) : MEANINGFUL[random.integer(MEANINGFUL.length)];
  switch (random.integer(6)) {
    case 0:
      return bytes.with(at, value);
    case 1:
      return bytes.with(at, bytes[at] ^ (1 << random.integer(8)));
    case 2:
      return Uint8Array.from([...bytes.subarray(0, at), value, ...bytes.subarray(at)]);
    case 3:
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(upTo)]);
    case 4:
      return Uint8Array.from([...bytes.subarray(0, upTo), ...bytes.subarray(at)]);
    default:
      return bytes.slice(0, at);
  }
}

/** Mutations of the header alone, its length put right: they reach what lies behind the length check. */
function mutateHeader(bytes: Uint8Array, random: Random): Uint8Array {
  const header = new TextEncoder().encode(headerText(bytes));
  return fileOf(mutateBytes(header, random), dataOf(bytes));
}

describe(`${RUNS.toLocaleString('en')} random mutations of a valid file`, () => {
  it.each([
    ['anywhere', mutateBytes, 1],
    ['in the header, its length put right', mutateHeader, 2],
  ])('decode or throw SafetensorsError: %s', (_, mutate, seed) => {
    const random = createRandom(seed);
    const outcomes = new Map<string, number>();
    for (let run = 0; run < RUNS; run++) {
      let bytes = valid;
      for (let n = 1 + random.integer(3); n > 0 && bytes.length > 8; n--) bytes = mutate(bytes, random);
      let outcome = 'decoded';
      try {
        const { tensors } = decodeSafetensors(bytes);
        for (const [name, { shape, data }] of tensors) {
          expect(data.length, name).toBe(shape.reduce((a, b) => a * b, 1));
        }
      } catch (error) {
        if (!(error instanceof SafetensorsError)) throw new Error(`run ${run}: not refused properly`, { cause: error });
        outcome = error.code;
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    // The mutations are worth something only if they get to most checks.
    expect(outcomes.size).toBeGreaterThanOrEqual(6);
    expect(outcomes.get('decoded')).toBeGreaterThan(RUNS / 100);
  });

  it('leave the input as it is', () => {
    const copy = valid.slice();
    decodeSafetensors(valid);
    expect(valid).toEqual(copy);
  });
});
