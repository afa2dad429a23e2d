import type { Streams } from './output';

/** What a command gets from the process that runs it. */
export interface Context {
  readonly streams: Streams;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}
