import { beforeEach, describe, expect, it } from 'vitest';
import type { NativeStepRequest } from '../../bindings/index';
import { makeFixture, optionsFor, resizable, withAttention } from './setup';
import type { Fixture, Mutable } from './setup';

const LENGTHS = [5, 40];

type Request = Mutable<NativeStepRequest>;

let fixture: Fixture;
beforeEach(() => {
  fixture = makeFixture(LENGTHS);
  fixture.native.step(fixture.request(2));
});

const legal: [string, (r: Request) => Request][] = [
  ['frozen request and lists', (r) => Object.freeze({ ...r, tensors: Object.freeze([...r.tensors]) })],
  ['-0 as a handle', (r) => ({ ...r, tensors: [-0, 1] })],
  [
    'shared memory',
    (r) => ({ ...r, parameters: r.parameters.map((p) => copyInto(new SharedArrayBuffer(4 * p.length), 0, p)) }),
  ],
  [
    'odd byte offsets',
    (r) => ({ ...r, parameters: r.parameters.map((p) => copyInto(new ArrayBuffer(4 * p.length + 20), 20, p)) }),
  ],
  [
    'adjacent views of one buffer',
    (r) => {
      const buffer = new ArrayBuffer(4 * 90);
      const place = (p: ArrayLike<number>, offset: number): Float32Array => copyInto(buffer, 4 * offset, p);
      return {
        ...r,
        parameters: [place(r.parameters[0], 85), place(r.parameters[1], 40)],
        gradients: [place(r.gradients[0], 80), place(r.gradients[1], 0)],
      };
    },
  ],
  [
    'length-tracking views of resizable buffers',
    (r) => ({
      ...r,
      parameters: r.parameters.map((p) => {
        const buffer = resizable(0, 4096);
        const view = new Float32Array(buffer);
        buffer.resize(4 * p.length);
        view.set(p);
        return view;
      }),
    }),
  ],
];

function copyInto(buffer: ArrayBuffer | SharedArrayBuffer, offset: number, source: ArrayLike<number>): Float32Array {
  const view = new Float32Array(buffer, offset, source.length);
  view.set(source);
  return view;
}

describe('step takes any legal memory and gives the same bits', () => {
  it.each(legal)('%s', (_, change) => {
    const plain = makeFixture(LENGTHS);
    plain.native.step(plain.request(2));
    plain.native.step(plain.request(3));
    const request = change(fixture.request(3));
    fixture.native.step(request);
    expect(request.parameters.map((p) => Array.from(p))).toEqual(plain.parameters.map((p) => Array.from(p)));
    expect(fixture.snapshot().states).toEqual(plain.snapshot().states);
  });

  it.each(['step', 'stepAsync'] as const)(
    '%s of no tensors reports a zero norm and changes nothing',
    async (method) => {
      const empty = { tensors: [], parameters: [], gradients: [] };
      const before = fixture.snapshot();
      const report = await fixture.native[method]({ ...fixture.request(), ...empty });
      expect(report).toEqual({ gradientNorm: 0, skipped: 0, lost: [] });
      expect(fixture.snapshot()).toEqual(before);
      const other = makeFixture([], optionsFor(withAttention));
      expect(await other.native[method](other.request())).toEqual({ gradientNorm: 0, skipped: 0, lost: [] });
    },
  );

  it('a step of no tensors after a removal does not look at the removed tensor', () => {
    fixture.native.removeTensor(fixture.handles[0]);
    const none = makeFixture([]).request();
    expect(fixture.native.step(none)).toEqual({ gradientNorm: 0, skipped: 0, lost: [] });
  });
});
