/**
 * The measuring process: one backend or the scaling, one number of threads. Started by index.ts with the job as JSON in its argument;
 * reports message by message (results.ts) to its parent.
 */
import { loadBackend } from '../lib/tfjs/backend';
import type { Backend, BackendName } from '../lib/tfjs/backend';
import { makeCases } from './cases';
import type { Case } from './cases';
import { adamContestant, learnedContestant, rawContestant } from './contestants';
import type { Contestant } from './contestants';
import { FULL, measure, QUICK, TooSlow } from './measure';
import type { Effort } from './measure';
import { measureOverhead } from './overhead';
import { rowsOf } from './results';
import type { Message } from './results';
import { measureScaling } from './scaling';
import { measureSmallStep } from './smallStep';
import { differenceFromReference, notTrained } from './verify';

export interface ComparisonJob {
  readonly kind: 'comparison';
  readonly backend: BackendName;
  readonly threads: number;
  readonly sizes: readonly number[];
  readonly quick: boolean;
  /** Measure the learned optimizer on plain arrays, too, and the parts of small steps. */
  readonly raw: boolean;
  /** Measure the `tf.Optimizer`. */
  readonly tfOptimizer: boolean;
  /** Measure what TensorFlow.js adds to a step on arrays, and nothing else. */
  readonly overhead: boolean;
}

export interface ScalingJob {
  readonly kind: 'scaling';
  readonly threads: number;
  readonly sizes: readonly number[];
  readonly quick: boolean;
}

export type Job = ComparisonJob | ScalingJob;

/** A step longer than this is not worth the wait. */
const MAX_STEP_MILLISECONDS = 2000;

const effortOf = (job: Job): Effort => (job.quick ? QUICK : FULL);

/** Cases whose steps are taken apart: one small tensor, a small network, many small tensors. */
const isSmall = ({ parameters }: Case): boolean => parameters <= 10_000;

function send(message: Message): void {
  process.send!(message);
}

function makeContestants(job: ComparisonJob, backend: Backend, measured: Case): Contestant[] {
  return [
    ...(job.raw ? [rawContestant(measured, job.threads)] : []),
    ...(job.tfOptimizer ? [learnedContestant(backend, measured, { threads: job.threads })] : []),
    adamContestant(backend, measured),
  ];
}

function runCase(job: ComparisonJob, backend: Backend, measured: Case): void {
  const started = performance.now();
  const contestants = makeContestants(job, backend, measured);
  const fail = (contestant: Contestant, text: string | null): void => {
    if (text === null) return;
    send({ kind: 'failed', text: `${contestant.name}, ${measured.name}, ${job.threads} threads: ${text}` });
  };
  try {
    const measurements = measure(contestants, effortOf(job), MAX_STEP_MILLISECONDS, (contestant, steps) => {
      if (contestant.learned) fail(contestant, differenceFromReference(measured, contestant, steps));
    });
    for (const row of rowsOf(measured, job.threads, measurements)) send({ kind: 'row', row });
    for (const contestant of contestants) fail(contestant, notTrained(measured, contestant));
  } catch (error) {
    if (!(error instanceof TooSlow)) throw error;
    send({ kind: 'skipped', text: `${measured.name} on ${backend.name}, ${job.threads} threads: ${error.message}` });
  } finally {
    for (const contestant of contestants) contestant.dispose();
  }
  send({ kind: 'progress', text: `${measured.name}: ${((performance.now() - started) / 1000).toFixed(1)} s` });
}

function runScaling(job: ScalingJob): void {
  const rows = measureScaling(job.sizes, job.threads, job.quick ? QUICK : FULL, (measured, contestant, steps) => {
    const text = differenceFromReference(measured, contestant, steps);
    if (text !== null) send({ kind: 'failed', text: `scaling, ${measured.name}, ${job.threads} threads: ${text}` });
  });
  for (const row of rows) {
    send({ kind: 'scaling', row });
    send({ kind: 'progress', text: `${row.parameters} in ${row.tensors} tensors` });
  }
}

function runOverhead(job: ComparisonJob, backend: Backend, measured: Case): void {
  const { threads } = job;
  for (const zeroCopy of backend.name === 'node' ? [false, true] : [false]) {
    const overhead = measureOverhead(backend, measured, { threads, zeroCopy }, effortOf(job), (contestant, steps) => {
      const text = differenceFromReference(measured, contestant, steps);
      if (text !== null) send({ kind: 'failed', text: `${contestant.name}, ${measured.name}: ${text}` });
    });
    send({ kind: 'overhead', overhead });
  }
  send({ kind: 'progress', text: measured.name });
}

async function runComparison(job: ComparisonJob): Promise<void> {
  const backend = await loadBackend(job.backend);
  send({ kind: 'backend', description: backend.description });
  const cases = makeCases(job.sizes);
  if (job.overhead) {
    for (const measured of cases.filter((c) => !isSmall(c))) runOverhead(job, backend, measured);
    return;
  }
  for (const measured of cases) runCase(job, backend, measured);
  if (!job.raw) return;
  for (const measured of cases.filter(isSmall)) {
    send({ kind: 'smallStep', smallStep: measureSmallStep(measured, job.threads, effortOf(job)) });
  }
}

const job = JSON.parse(process.argv[2]) as Job;
if (job.kind === 'scaling') runScaling(job);
else await runComparison(job);
// The channel to the parent would keep the process alive.
process.disconnect();
