/** Exit codes of the command line, as `--help` lists them. */
export const EXIT = {
  success: 0,
  /** Something went wrong: no network, a damaged file, a missing package. */
  failure: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** A measured result missed what was expected of it. */
  expectation: 3,
  /** Stopped by SIGINT (Ctrl-C): 128 + 2, as shells have it. */
  interrupted: 130,
} as const;

/** The command line is wrong in a way that commander cannot see. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The user pressed Ctrl-C. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor(message = 'interrupted') {
    super(message);
  }
}

/** A result missed `--expect-median` or `--expect-score`. */
export class ExpectationMissed extends Error {
  override readonly name = 'ExpectationMissed';
}

/** Exit code for an error that a command threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof ExpectationMissed) return EXIT.expectation;
  return EXIT.failure;
}
