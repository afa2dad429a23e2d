import type { Architecture } from '../optimizer/architecture';
import { validateArchitecture } from '../optimizer/architecture';
import { checkEstimator } from '../meta/config';
import type { EstimatorConfig } from '../meta/config';
import { CORPUS_NAMES } from '../meta/corpus';
import type { CorpusName } from '../meta/corpus';
import {
  anyText,
  count,
  countOrZero,
  listOf,
  objectOf,
  oneOf,
  optional,
  valueOf,
  wholeNumber,
} from '../meta/fieldChecks';
import type { FieldCheck } from '../meta/fieldChecks';
import { describeEngine, PROTOCOL, sameEngine } from './engine';
import type { Engine } from './engine';
import { checkBlobRef, PayloadError, sha256Of } from './payloads';
import type { BlobRef } from './payloads';

/** What the parts of a phase have in common. */
export interface PartPhase {
  readonly architecture: Architecture;
  readonly seed: number;
  /** Index of the phase. */
  readonly phase: number;
  readonly kind: EstimatorConfig['kind'];
  readonly corpus: CorpusName;
  /** SHA-256 of the user's module of problems. Workers have the file themselves: code never comes from the queue. */
  readonly problems?: string;
  readonly copies?: number;
  readonly frozen?: readonly string[];
}

/**
 * One family's share of one iteration: everything that its result depends on, so that any worker can do it, and doing it
 * twice gives the same bytes. Arrays lie beside the queue under their hashes.
 */
export interface PartJob {
  readonly protocol: number;
  readonly engine: Engine;
  readonly shared: PartPhase;
  readonly family: number;
  readonly iteration: number;
  readonly estimator: EstimatorConfig;
  readonly metaParameters: BlobRef;
  /** Where the family's trajectories go on; absent: they begin. */
  readonly state?: BlobRef;
}

const sha256: FieldCheck = valueOf(
  'a SHA-256, 64 hexadecimal digits',
  (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
);

const partJob = objectOf<PartJob>({
  protocol: wholeNumber,
  engine: objectOf<Engine>({ version: anyText, isa: anyText, node: anyText }),
  shared: objectOf<PartPhase>({
    architecture: (_, value) => void validateArchitecture(value),
    seed: wholeNumber,
    phase: countOrZero,
    kind: oneOf('bptt', 'pes', 'nres', 'es'),
    corpus: oneOf(...CORPUS_NAMES),
    problems: optional(sha256),
    copies: optional(count),
    frozen: optional(listOf('a list of names of meta-parameters', anyText)),
  }),
  family: countOrZero,
  iteration: countOrZero,
  estimator: (path, value) => void checkEstimator(path, value),
  metaParameters: checkBlobRef,
  state: optional(checkBlobRef),
});

/** The id of a job: the hash of all that it says. Equal jobs are one job to the queue. */
export function partId(job: unknown): string {
  return sha256Of(JSON.stringify(job)).slice(0, 40);
}

/**
 * Checks a job that came from the queue: every field, and that there are no others.
 * @param id under which it came
 * @param engine of this process
 * @throws {PayloadError} naming the field, what was expected and what came
 */
export function checkPartJob(value: unknown, id: string | undefined, engine: Engine): PartJob {
  // The version first: a job of another one may have other fields.
  const { protocol, engine: theirs } = (value ?? {}) as Partial<PartJob>;
  if (protocol !== PROTOCOL || !sameEngine(theirs ?? {}, engine)) {
    const say = (p: unknown, e: Partial<Engine> | undefined): string =>
      `protocol ${String(p)}, ${describeEngine(e ?? {})}`;
    throw new PayloadError(
      'WRONG_VERSION',
      `job: expected ${say(PROTOCOL, engine)}, got ${say(protocol, theirs)}; workers and coordinator need the same`,
    );
  }
  try {
    partJob('', value);
    const job = value as PartJob;
    const estimator = checkEstimator('estimator', job.estimator);
    if (estimator.kind !== job.shared.kind) {
      throw new RangeError(`estimator.kind: expected '${job.shared.kind}', got '${estimator.kind}'`);
    }
    const architecture = validateArchitecture(job.shared.architecture);
    const checked = { ...job, estimator, shared: { ...job.shared, architecture } };
    if (id !== partId(value)) throw new PayloadError('WRONG_HASH', `job: expected the id ${partId(value)}, got ${id}`);
    return checked;
  } catch (error) {
    if (error instanceof PayloadError) throw error;
    throw new PayloadError('DAMAGED', `job: ${(error as Error).message}`);
  }
}
