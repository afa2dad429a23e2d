import type { Architecture } from '../optimizer/architecture';
import { validateArchitecture } from '../optimizer/architecture';
import { checkEstimator } from '../meta/config';
import type { EstimatorConfig } from '../meta/config';
import { CORPUS_NAMES } from '../meta/corpus';
import type { CorpusName } from '../meta/corpus';
import { anyText, count, countOrZero, flag, listOf, objectOf, oneOf, optional, wholeNumber } from '../meta/fieldChecks';
import { describeEngine, PROTOCOL, sameEngine } from './engine';
import type { Engine } from './engine';
import { checkBlobRef, checkSha256, hexadecimal, PayloadError, sha256Of } from './payloads';
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
 * twice gives the same bytes. Arrays lie beside the queue under their hashes, or with the worker that made them.
 */
export interface PartJob {
  readonly protocol: number;
  readonly engine: Engine;
  readonly shared: PartPhase;
  readonly family: number;
  readonly iteration: number;
  readonly estimator: EstimatorConfig;
  readonly metaParameters: BlobRef;
  /** The state where the family's trajectories go on, by its name (`stateName` or `partId`); absent: they begin. */
  readonly after?: string;
}

/** What a worker is asked for. */
export interface PartOrder {
  readonly job: PartJob;
  /** What the part says, or only the state after it, which whoever did the part has already. */
  readonly want: 'part' | 'state';
  /** Whether a part's state is to be put beside the queue too. */
  readonly publish?: boolean;
  /** Where the state lies that the job goes on from, for a worker that does not have it. */
  readonly state?: BlobRef;
}

const checkName = hexadecimal(40, 'a name of a state');

const partJob = objectOf<PartJob>({
  protocol: wholeNumber,
  engine: objectOf<Engine>({ version: anyText, isa: anyText, node: anyText }),
  shared: objectOf<PartPhase>({
    architecture: (_, value) => void validateArchitecture(value),
    seed: wholeNumber,
    phase: countOrZero,
    kind: oneOf('bptt', 'pes', 'nres', 'es'),
    corpus: oneOf(...CORPUS_NAMES),
    problems: optional(checkSha256),
    copies: optional(count),
    frozen: optional(listOf('a list of names of meta-parameters', anyText)),
  }),
  family: countOrZero,
  iteration: countOrZero,
  estimator: (path, value) => void checkEstimator(path, value),
  metaParameters: checkBlobRef,
  after: optional(checkName),
});

/** The id of a job, the hash of all that it says, which is the name of the state after it too. */
export function partId(job: unknown): string {
  return sha256Of(JSON.stringify(job)).slice(0, 40);
}

/** Another name of a state, once its bytes are known: that which it has in a run that goes on from a checkpoint. */
export function stateName({ sha256 }: BlobRef): string {
  return sha256.slice(0, 40);
}

/** The id of an order: equal ones are the same. */
export function orderId({ job, want }: Pick<PartOrder, 'job' | 'want'>): string {
  return want === 'part' ? partId(job) : `${partId(job)}-state`;
}

/** A job of the queue: orders that a worker fulfils one after the other. */
export interface Bundle {
  readonly orders: readonly PartOrder[];
}

/** Orders that a bundle may have. */
export const MOST_ORDERS = 64;

/** The id of a bundle in the queue: equal ones are one job to it. */
export function bundleId(orders: readonly string[]): string {
  return orders.length === 1 ? orders[0] : sha256Of(orders.join(' ')).slice(0, 40);
}

const order = objectOf<PartOrder>({
  job: partJob,
  want: oneOf('part', 'state'),
  publish: optional(flag),
  state: optional(checkBlobRef),
});

const bundle = objectOf<Bundle>({ orders: listOf(`a list of 1 to ${MOST_ORDERS} orders`, order, MOST_ORDERS) });

/** An order with the id of its part, whatever is wanted of it. */
export interface IdentifiedOrder extends PartOrder {
  readonly part: string;
}

function checkedOrder(value: PartOrder): IdentifiedOrder {
  const { job, ...rest } = value;
  const estimator = checkEstimator('estimator', job.estimator);
  if (estimator.kind !== job.shared.kind) {
    throw new RangeError(`estimator.kind: expected '${job.shared.kind}', got '${estimator.kind}'`);
  }
  const architecture = validateArchitecture(job.shared.architecture);
  return { ...rest, part: partId(job), job: { ...job, estimator, shared: { ...job.shared, architecture } } };
}

/** A bundle's orders are fulfilled from states that are there before the first of them: of a phase, and a family each. */
function checkTogether(orders: readonly IdentifiedOrder[]): void {
  const phases = new Set(orders.map(({ job }) => JSON.stringify(job.shared)));
  if (phases.size > 1) throw new RangeError(`orders: expected those of one phase, got ${phases.size} phases`);
  const families = new Set<number>();
  for (const { job } of orders) {
    if (families.has(job.family)) throw new RangeError(`orders: expected each family once, got ${job.family} twice`);
    families.add(job.family);
  }
}

/**
 * Checks a bundle that came from the queue: every field, and that there are no others.
 * @param id under which it came
 * @param engine of this process
 * @throws {PayloadError} naming the field, what was expected and what came
 */
export function checkBundle(value: unknown, id: string | undefined, engine: Engine): IdentifiedOrder[] {
  // The version first: a job of another one may have other fields.
  const orders = (value as Partial<Bundle> | null)?.orders;
  for (const one of Array.isArray(orders) && orders.length > 0 ? (orders as unknown[]) : [undefined]) {
    const job = (one as Partial<PartOrder> | null | undefined)?.job as Partial<PartJob> | null | undefined;
    if (job?.protocol === PROTOCOL && sameEngine(job.engine ?? {}, engine)) continue;
    const say = (p: unknown, e: Partial<Engine> | undefined): string =>
      `protocol ${String(p)}, ${describeEngine(e ?? {})}`;
    throw new PayloadError(
      'WRONG_VERSION',
      `job: expected ${say(PROTOCOL, engine)}, got ${say(job?.protocol, job?.engine)}; workers and coordinator need the same`,
    );
  }
  try {
    bundle('', value);
    const checked = (value as Bundle).orders.map(checkedOrder);
    checkTogether(checked);
    const wanted = bundleId((value as Bundle).orders.map(orderId));
    if (id !== wanted) throw new PayloadError('WRONG_HASH', `job: expected the id ${wanted}, got ${id}`);
    return checked;
  } catch (error) {
    if (error instanceof PayloadError) throw error;
    throw new PayloadError('DAMAGED', `job: ${(error as Error).message}`);
  }
}
