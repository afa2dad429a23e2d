import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { persist, Waiting, within } from '../../lib/cluster/patience';

describe('waiting', () => {
  it('ends with what is waited for, or with the reason of whoever cancels it', async () => {
    const waiting = new Waiting();
    expect(await waiting.for(Promise.resolve(3))).toBe(3);
    await expect(waiting.for(Promise.reject(new Error('of itself')))).rejects.toThrow('of itself');
    const never = waiting.for(new Promise<void>(() => undefined));
    expect(waiting.isAny).toBe(true);
    waiting.cancel(new Error('that will do'));
    await expect(never).rejects.toThrow('that will do');
    await expect(waiting.for(Promise.resolve(3))).rejects.toThrow('that will do');
    await turn();
    expect(waiting.isAny).toBe(false);
  });

  it('keeps nothing of what was waited for', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const waiting = new Waiting();
    const wait = async (): Promise<WeakRef<object>> => new WeakRef(await waiting.for(Promise.resolve({})));
    const reference = await wait();
    // A reference lives at least until the end of the turn that made it.
    await turn();
    collect();
    expect(reference.deref()).toBeUndefined();
    expect(waiting.isAny).toBe(false);
  });
});

describe('within', () => {
  it('ends with an error of what is waited for, and without it after so many milliseconds', async () => {
    await within(60_000, Promise.reject(new Error('too bad')));
    const begun = performance.now();
    await within(30, new Promise<void>(() => undefined));
    expect(performance.now() - begun).toBeGreaterThan(25);
  });
});

describe('persist', () => {
  const never = new AbortController().signal;

  it('tries until it can be done, and tells of every error before', async () => {
    const told: string[] = [];
    let tries = 0;
    const what = (): Promise<number> =>
      ++tries < 3 ? Promise.reject(new Error(`${tries}`)) : Promise.resolve(10 * tries);
    expect(await persist(what, { signal: never, pause: 1, onError: ({ message }) => told.push(message) })).toBe(30);
    expect(told).toEqual(['1', '2']);
  });

  it('ends with an error that is final, and with the next one once it is aborted', async () => {
    const stop = new AbortController();
    let tries = 0;
    const fails = (): Promise<never> => Promise.reject(new Error(`try ${++tries}`));
    const onError = (): void => undefined;
    await expect(persist(fails, { signal: never, pause: 1, onError, isFinal: () => true })).rejects.toThrow('try 1');
    const persisting = persist(fails, { signal: stop.signal, pause: 60_000, onError });
    await turn();
    stop.abort();
    await expect(persisting).rejects.toThrow('try 3');
  });
});
