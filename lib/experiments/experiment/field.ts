import type { Contestant } from '../comparison/contestants';
import type { Plan } from './contestants';
import { CurveRunner, tunedRuns, type CurveTask, type StepCounter } from './curveRunner';
import type { ExperimentContext } from './experiment';
import type { Entry } from './parts';

/** The optimizers that train on every task of an experiment. */
export interface Field {
  /** Used as they come, at their customary rate. */
  readonly own: readonly { readonly role: Entry['role']; readonly contestant: Contestant }[];
  readonly tuned: readonly Contestant[];
}

/** Runs that {@link trainField} does on one task. */
export function fieldRuns({ own, tuned }: Field, plan: Plan): number {
  return own.length * plan.seeds.length + tuned.length * tunedRuns(plan);
}

/**
 * Trains the whole field on one task, its own optimizers first.
 * @throws the signal's reason when aborted
 */
export async function trainField(
  { own, tuned }: Field,
  task: CurveTask,
  plan: Plan,
  context: ExperimentContext,
  counter: StepCounter,
): Promise<Entry[]> {
  const runner = new CurveRunner(task, context, counter);
  const entries: Entry[] = [];
  for (const { role, contestant } of own) {
    entries.push({ role, runs: await runner.curves(contestant, contestant.customaryRate, plan.seeds) });
  }
  for (const baseline of tuned) entries.push({ role: 'other', runs: await runner.tuned(baseline, plan) });
  return entries;
}
