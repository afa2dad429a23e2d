import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkBundleReply } from '../../lib/cluster/bundleReply';
import { localEngine, PROTOCOL } from '../../lib/cluster/engine';
import { bundleId, checkBundle, orderId, partId } from '../../lib/cluster/partJob';
import type { Bundle, PartJob, PartOrder } from '../../lib/cluster/partJob';
import {
  blobOf,
  checkBlob,
  decodeMetaParameters,
  decodeParts,
  decodeState,
  encodeMetaParameters,
  encodeParts,
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
const other = { ...result, gradient: Float64Array.of(4, 3, 2, 1), loss: -1 };
const part = encodeParts([
  { job: 'job', result },
  { job: 'job2', result: other },
]);
const JOBS = ['job', 'job2'];

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
    expect(decodeParts(part, JOBS, 4)).toEqual([result, other]);
    expect(Object.is(decodeParts(part, JOBS, 4)[0].gradient[1], -0)).toBe(true);
    expect(decodeState(encodeState(state))).toEqual(state);
    expect(decodeMetaParameters(encodeMetaParameters(result.gradient))).toEqual(result.gradient);
    expect(
      encodeParts([
        { job: 'job', result },
        { job: 'job2', result: other },
      ]),
    ).toEqual(part);
  });

  it('are refused when they are of another length, hash, kind, job, version or size', () => {
    const { ref } = blobOf(part);
    expect(code(() => checkBlob(part, ref))).toBe('none');
    expect(code(() => checkBlob(part.subarray(0, -1), ref))).toBe('WRONG_LENGTH');
    const changed = part.slice();
    changed[changed.length - 1] ^= 1;
    expect(code(() => checkBlob(changed, ref))).toBe('WRONG_HASH');
    expect(code(() => decodeParts(encodeState(state), JOBS, 4))).toBe('WRONG_KIND');
    expect(code(() => decodeParts(part, ['job', 'another'], 4))).toBe('WRONG_JOB');
    expect(code(() => decodeParts(part, JOBS, 5))).toBe('DAMAGED');
    const later = { format: 'learned-optimizer-cluster', formatVersion: String(PROTOCOL + 1), kind: 'parts' };
    expect(code(() => decodeParts(encodeSafetensors({ tensors: [], metadata: later }), JOBS, 4))).toBe('WRONG_VERSION');
    const none = encodeSafetensors({ tensors: [], metadata: { ...later, formatVersion: String(PROTOCOL) } });
    expect(code(() => decodeParts(none, JOBS, 4))).toBe('WRONG_JOB');
  });

  it('never throw anything but PayloadError, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.nat(part.length - 1), fc.uint8Array({ maxLength: 8 }), fc.nat(part.length), (at, bytes, end) => {
        const damaged = part.slice(0, end);
        damaged.set(bytes.subarray(0, Math.max(0, end - at)), Math.min(at, end));
        for (const read of [decodeState, decodeMetaParameters, (b: Uint8Array) => decodeParts(b, JOBS, 4)]) {
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
    ...{ metaParameters: ref, after: '1'.repeat(40) },
  };
  const order: PartOrder = { job, want: 'part', publish: true, state: ref };
  const bundle = { orders: [order, { ...order, job: { ...job, family: 4 } }] };
  const sent = JSON.parse(JSON.stringify(bundle)) as Bundle;
  const id = bundleId(sent.orders.map(orderId));
  /** The bundle with another first order, or another first job. */
  const withOrder = (fields: object): unknown => ({ orders: [{ ...sent.orders[0], ...fields }, sent.orders[1]] });
  const withJob = (fields: object): unknown => withOrder({ job: { ...sent.orders[0].job, ...fields } });

  it('is as it was sent, Infinity included, and small', () => {
    const parts = bundle.orders.map((one) => ({ ...one, part: partId(one.job) }));
    expect(checkBundle(sent, id, engine)).toEqual(parts);
    expect(JSON.stringify(order).length).toBeLessThan(1700);
  });

  it('has the same id wherever its state lies, and another where only the state is wanted', () => {
    expect(bundleId(bundle.orders.map(orderId))).toBe(id);
    expect(orderId({ job, want: 'part' })).toBe(orderId(order));
    const state = { ...sent.orders[0], want: 'state' };
    expect(checkBundle({ orders: [state] }, `${partId(job)}-state`, engine)).toMatchObject([
      { want: 'state', part: partId(job) },
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ['WRONG_VERSION', null, /expected protocol 3, learned-optimizer .*, got protocol undefined/],
    ['WRONG_VERSION', { orders: [] }, /got protocol undefined/],
    ['WRONG_VERSION', { orders: [sent.orders[0], null] }, /got protocol undefined/],
    ['WRONG_VERSION', withOrder({ job: null }), /got protocol undefined/],
    ['WRONG_VERSION', withJob({ protocol: 1 }), /got protocol 1/],
    [
      'WRONG_VERSION',
      withJob({ engine: { ...engine, version: '9.9.9' } }),
      /got protocol 3, learned-optimizer 9\.9\.9/,
    ],
    ['WRONG_VERSION', withJob({ engine: { ...engine, isa: 'abacus' } }), /on abacus/],
    ['WRONG_VERSION', withJob({ engine: { ...engine, node: '3' } }), /and Node 3/],
    ['DAMAGED', { ...sent, code: 'process.exit()' }, /code: expected no such field/],
    ['DAMAGED', { orders: Array<unknown>(65).fill(sent.orders[0]) }, /orders: expected a list of 1 to 64 orders/],
    ['DAMAGED', withOrder({ code: 'process.exit()' }), /orders\[0\]\.code: expected no such field/],
    ['DAMAGED', withJob({ code: 'process.exit()' }), /job\.code: expected no such field/],
    ['DAMAGED', withJob({ family: -1 }), /family: expected a whole number from 0, got -1/],
    [
      'DAMAGED',
      withJob({ metaParameters: { sha256: '../etc', bytes: 1 } }),
      /metaParameters.sha256: expected a SHA-256/,
    ],
    ['DAMAGED', withJob({ after: '../../etc' }), /after: expected a name of a state, 40 hexadecimal digits/],
    ['DAMAGED', withOrder({ want: 'everything' }), /want: expected 'part' or 'state'/],
    ['DAMAGED', withOrder({ publish: 1 }), /publish: expected true or false/],
    ['DAMAGED', withOrder({ state: { ...ref, bytes: 1e12 } }), /state.bytes: expected a whole number from 1 to/],
    ['DAMAGED', withJob({ shared: { ...job.shared, problems: '/etc/passwd' } }), /shared.problems: expected a SHA-256/],
    ['DAMAGED', withJob({ shared: { ...job.shared, kind: 'bptt' } }), /estimator.kind: expected 'bptt', got 'pes'/],
    ['DAMAGED', withJob({ estimator: { ...estimator, sigma: 0 } }), /estimator.sigma: expected a number above 0/],
    ['DAMAGED', { orders: [sent.orders[0], sent.orders[0]] }, /job: orders: expected each family once, got \d+ twice/],
    [
      'DAMAGED',
      {
        orders: [
          sent.orders[0],
          {
            ...sent.orders[1],
            job: { ...sent.orders[1].job, shared: { ...sent.orders[1].job.shared, seed: 99 } },
          },
        ],
      },
      /job: orders: expected those of one phase, got 2 phases/,
    ],
    ['WRONG_HASH', withJob({ iteration: 6 }), /job: expected the id/],
    ['WRONG_HASH', { orders: [sent.orders[1], sent.orders[0]] }, /job: expected the id/],
  ])('is refused with %s', (expected, value, message) => {
    const check = (): unknown => checkBundle(value, id, engine);
    expect(check).toThrow(message);
    expect(code(check)).toBe(expected);
  });
});

describe('what a worker says of a job', () => {
  const ref = { sha256: '0'.repeat(64), bytes: 8 };
  const reply = {
    worker: '0123456789ab',
    parts: ref,
    outcomes: [{ seconds: 0.5, state: ref }, { missing: 'what' }, { failed: 'why' }],
  };

  it('is taken as it was sent', () => {
    expect(checkBundleReply(reply, 3)).toEqual(reply);
  });

  it.each<[unknown, RegExp]>([
    [null, /result: value: expected an object/],
    [{ ...reply, worker: '../0123' }, /worker: expected the id of a worker, 12 hexadecimal digits/],
    [{ ...reply, outcomes: reply.outcomes.slice(1) }, /outcomes: expected 3, got 2/],
    [{ ...reply, outcomes: [null, 1, {}] }, /outcomes\[0\]: expected an object/],
    [{ ...reply, outcomes: [{ seconds: -1 }] }, /outcomes\[0\].seconds: expected a number from 0/],
    [{ ...reply, outcomes: [{ failed: 'why', seconds: 1 }] }, /outcomes\[0\].seconds: expected no such field/],
    [{ ...reply, parts: { ...ref, bytes: 0 } }, /parts.bytes: expected a whole number from 1/],
  ])('is refused otherwise', (value, message) => {
    expect(() => checkBundleReply(value, 3)).toThrow(message);
    expect(code(() => checkBundleReply(value, 3))).toBe('DAMAGED');
  });
});
