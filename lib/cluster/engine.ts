import { info } from '../optimizer/info';

/** Version of the jobs and payloads. */
export const PROTOCOL = 1;

/** What determines the bits of a part beside its job. */
export interface Engine {
  /** Of this package. */
  readonly version: string;
  /** Instruction set: each rounds in its own way. */
  readonly isa: string;
}

/** The engine of this process. */
export function localEngine(): Engine {
  const { version, isa } = info();
  return { version, isa };
}

/**
 * The queue of the parts that an engine can compute. Each has a queue of its own, so that no worker gets a job that it would
 * have to refuse, or that it would compute to other bits.
 * @param problems SHA-256 of the user's module of problems, for jobs that need one
 */
export function queueNameOf({ version, isa }: Engine, problems?: string): string {
  return `parts-${PROTOCOL}-${version}-${isa}${problems === undefined ? '' : `-${problems.slice(0, 16)}`}`;
}
