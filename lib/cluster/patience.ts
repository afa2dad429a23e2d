import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something has ended, however it did, but no longer than so many milliseconds. */
export async function within(milliseconds: number, what: Promise<unknown>): Promise<void> {
  const waiting = new AbortController();
  const patience = sleep(milliseconds, undefined, { signal: waiting.signal });
  await Promise.race([what, patience]).catch(() => undefined);
  waiting.abort();
  await patience.catch(() => undefined);
}
