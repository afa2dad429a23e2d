import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localEngine, PROTOCOL } from '../../lib/cluster/engine';
import { checkPartJob, partId } from '../../lib/cluster/partJob';
import type { PartJob } from '../../lib/cluster/partJob';
import {
  blobOf,
  checkBlob,
  decodeMetaParameters,
  decodePart,
  decodeState,
  encodeMetaParameters,
  encodePart,
  encodeState,
  PayloadError,
} from '../../lib/cluster/payloads';
import { encodeSafetensors } from '../../lib/safetensors';
import { SHORT } from './setup';

const result = { gradient: Float64Array.of(1, -0, NaN, 5e-324), loss: NaN, restarts: 2, failures: 1, steps: 48 };
const state = {
  state: Float32Array.of(1.5, -0, NaN),
  elapsed: Int32Array.of(-1, 7),
  fresh: Uint8Array.of(0, 255),
  'members.0': new Float64Array(0),
};
const after = blobOf(encodeState(state)).ref;
const part = encodePart('job', { result, state: after });

const code = (what: () => unknown): string => {
  try {
    what();
  } catch (error) {
    if (error instanceof PayloadError) return error.code;
    throw error;
  }
  return 'none';
};

describe('payloads', () => {
  it('come back bit for bit', () => {
    expect(decodePart(part, 'job', 4)).toEqual({ result, state: after });
    expect(Object.is(decodePart(part, 'job', 4).result.gradient[1], -0)).toBe(true);
    expect(decodeState(encodeState(state))).toEqual(state);
    expect(decodeMetaParameters(encodeMetaParameters(result.gradient))).toEqual(result.gradient);
    expect(encodePart('job', { result, state: after })).toEqual(part);
  });

  it('are refused when they are of another length, hash, kind, job, version or size', () => {
    const { ref } = blobOf(part);
    expect(code(() => checkBlob(part, ref))).toBe('none');
    expect(code(() => checkBlob(part.subarray(0, -1), ref))).toBe('WRONG_LENGTH');
    const other = part.slice();
    other[other.length - 1] ^= 1;
    expect(code(() => checkBlob(other, ref))).toBe('WRONG_HASH');
    expect(code(() => decodePart(encodeState(state), 'job', 4))).toBe('WRONG_KIND');
    expect(code(() => decodePart(part, 'another', 4))).toBe('WRONG_JOB');
    expect(code(() => decodePart(part, 'job', 5))).toBe('DAMAGED');
    const later = { format: 'learned-optimizer-cluster', formatVersion: String(PROTOCOL + 1), kind: 'part' };
    expect(code(() => decodePart(encodeSafetensors({ tensors: [], metadata: later }), 'job', 4))).toBe('WRONG_VERSION');
    const none = encodeSafetensors({ tensors: [], metadata: { ...later, formatVersion: String(PROTOCOL) } });
    expect(code(() => decodePart(none, 'job', 4))).toBe('WRONG_JOB');
  });

  it('never throw anything but PayloadError, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.nat(part.length - 1), fc.uint8Array({ maxLength: 8 }), fc.nat(part.length), (at, bytes, end) => {
        const damaged = part.slice(0, end);
        damaged.set(bytes.subarray(0, Math.max(0, end - at)), Math.min(at, end));
        for (const read of [decodeState, decodeMetaParameters, (b: Uint8Array) => decodePart(b, 'job', 4)]) {
          code(() => read(damaged));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a job', () => {
  const engine = localEngine();
  const [, { estimator }] = SHORT.phases;
  const ref = { sha256: '0'.repeat(64), bytes: 8 };
  const { architecture, seed, corpus } = SHORT;
  const job: PartJob = {
    ...{ protocol: PROTOCOL, engine, family: 3, iteration: 5, estimator: { ...estimator, stopMultiplier: Infinity } },
    shared: { architecture, seed, phase: 1, kind: 'pes', corpus },
    ...{ metaParameters: ref, state: ref },
  };
  const sent = JSON.parse(JSON.stringify(job)) as Record<string, unknown>;

  it('is as it was sent, Infinity included, and small', () => {
    expect(checkPartJob(sent, partId(sent), engine)).toEqual(job);
    expect(partId(job)).toBe(partId(sent));
    expect(JSON.stringify(job).length).toBeLessThan(1600);
  });

  it.each<[string, unknown, RegExp]>([
    ['WRONG_VERSION', null, /expected protocol 2, learned-optimizer .*, got protocol undefined/],
    ['WRONG_VERSION', { ...sent, protocol: 1 }, /got protocol 1/],
    [
      'WRONG_VERSION',
      { ...sent, engine: { ...engine, version: '9.9.9' } },
      /got protocol 2, learned-optimizer 9\.9\.9/,
    ],
    ['WRONG_VERSION', { ...sent, engine: { ...engine, isa: 'abacus' } }, /on abacus/],
    ['WRONG_VERSION', { ...sent, engine: { ...engine, node: '3' } }, /and Node 3/],
    ['DAMAGED', { ...sent, code: 'process.exit()' }, /code: expected no such field/],
    ['DAMAGED', { ...sent, family: -1 }, /family: expected a whole number from 0, got -1/],
    [
      'DAMAGED',
      { ...sent, metaParameters: { sha256: '../../etc', bytes: 1 } },
      /metaParameters.sha256: expected a SHA-256/,
    ],
    ['DAMAGED', { ...sent, state: { ...ref, bytes: 1e12 } }, /state.bytes: expected a whole number from 1 to/],
    ['DAMAGED', { ...sent, shared: { ...job.shared, problems: '/etc/passwd' } }, /shared.problems: expected a SHA-256/],
    ['DAMAGED', { ...sent, shared: { ...job.shared, kind: 'bptt' } }, /estimator.kind: expected 'bptt', got 'pes'/],
    ['DAMAGED', { ...sent, estimator: { ...estimator, sigma: 0 } }, /estimator.sigma: expected a number above 0/],
    ['WRONG_HASH', { ...sent, iteration: 6 }, /job: expected the id/],
  ])('is refused with %s', (expected, value, message) => {
    const check = (): unknown => checkPartJob(value, partId(sent), engine);
    expect(check).toThrow(message);
    expect(code(check)).toBe(expected);
  });
});
