import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something has ended, however it did, but no longer than so many milliseconds. */
export async function within(milliseconds: number, what: Promise<unknown>): Promise<void> {
  const waiting = new AbortController();
  const patience = sleep(milliseconds, undefined, { signal: waiting.signal });
  await Promise.race([what, patience]).catch(() => undefined);
  waiting.abort();
  await patience.catch(() => undefined);
}

/**
 * Waits for something no longer than until the signal is aborted; it goes on by itself then.
 * @throws the signal's reason, if that comes first
 */
export async function unlessAborted<T>(signal: AbortSignal | undefined, what: Promise<T>): Promise<T> {
  const waiting = new Waiting();
  const stop = (): void => waiting.cancel(signal!.reason as Error);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await waiting.for(what);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** How something is tried until it can be done. */
export interface Persistence {
  /** Aborted: there is no further try. */
  readonly signal: AbortSignal;
  readonly onError: (error: Error) => void;
  /** Between two tries, in milliseconds. */
  readonly pause: number;
  /** Errors that no further try would spare. */
  readonly isFinal?: (error: unknown) => boolean;
}

/**
 * Does something as soon as it can be done.
 * @throws the error of the last try once the signal is aborted, and final errors
 */
export async function persist<T>(what: () => Promise<T>, { signal, onError, pause, isFinal }: Persistence): Promise<T> {
  // Whatever waits for the same thing waits with the same signal.
  setMaxListeners(0, signal);
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (signal.aborted || isFinal?.(error)) throw error;
      onError(error as Error);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Waiting that can be ended from elsewhere. */
export class Waiting {
  private readonly rejecting = new Set<(reason: Error) => void>();
  private reason: Error | undefined;

  /** Whether anybody waits. */
  get isAny(): boolean {
    return this.rejecting.size > 0;
  }

  /** @throws the reason of `cancel`, if that comes first */
  for<T>(what: Promise<T>): Promise<T> {
    // Not Promise.race with one promise for all: that would keep every value for as long as this lives.
    return new Promise<T>((resolve, reject) => {
      if (this.reason) reject(this.reason);
      else this.rejecting.add(reject);
      what.then(resolve, reject).finally(() => this.rejecting.delete(reject));
    });
  }

  cancel(reason: Error): void {
    this.reason = reason;
    for (const reject of this.rejecting) reject(reason);
    this.rejecting.clear();
  }
}
