import { info } from '../optimizer/info';

/** Version of the jobs and payloads. */
export const PROTOCOL = 3;

/** What determines the bits of a part beside its job. */
export interface Engine {
  /** Of this package. */
  readonly version: string;
  /** Instruction set: each rounds in its own way. */
  readonly isa: string;
  /** Major version of Node: its mathematical functions may round otherwise in another one. */
  readonly node: string;
}

/** The engine of this process. */
export function localEngine(): Engine {
  const { version, isa } = info();
  return { version, isa, node: process.versions.node.split('.')[0] };
}

export function sameEngine(a: Partial<Engine>, b: Partial<Engine>): boolean {
  return a.version === b.version && a.isa === b.isa && a.node === b.node;
}

/** For people. */
export function describeEngine({ version, isa, node }: Partial<Engine>): string {
  return `learned-optimizer ${version ?? 'of no version'} on ${isa ?? 'no instruction set'} and Node ${node ?? 'of no version'}`;
}

/**
 * The queue of the parts that an engine can compute. Each has a queue of its own, so that no worker gets a job that it would
 * have to refuse, or that it would compute to other bits.
 * @param problems SHA-256 of the user's module of problems, for jobs that need one
 */
export function queueNameOf({ version, isa, node }: Engine, problems?: string): string {
  return `parts-${PROTOCOL}-${version}-${isa}-node${node}${problems === undefined ? '' : `-${problems.slice(0, 16)}`}`;
}

/**
 * The queue of the jobs for one worker: those of families whose states it has.
 * @param id of the worker
 */
export function homeQueueOf(queue: string, id: string): string {
  return `${queue}-at-${id}`;
}
