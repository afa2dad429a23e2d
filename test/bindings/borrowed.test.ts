import { describe, expect, it } from 'vitest';
import { borrowing, withBorrowed } from '../../bindings/index';
import { makeFixture } from './setup';

describe('borrowed tensors in a process without TensorFlow', () => {
  it('cannot be had, and the reason is said', () => {
    const reason =
      process.platform === 'linux' ? /no TensorFlow library is loaded in this process/ : /looked for on Linux only/;
    expect(() => borrowing()).toThrow(reason);
    expect(() =>
      withBorrowed(
        1,
        () => undefined,
        () => 0,
      ),
    ).toThrow(reason);
  });

  it.each([0, 1, -1, 0.5, NaN, Infinity, 2 ** 53])('are no gradients of a step: %d', (index) => {
    const { native, request } = makeFixture([5]);
    const step = { ...request(), gradients: [index as unknown as Float32Array] };
    expect(() => native.step(step)).toThrow(/gradients\[0\]: expected Float32Array of length 5/);
  });
});
