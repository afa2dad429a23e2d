import type { ModelName } from '../models/index';
import { contenderName, isSame } from './records';
import type { Comparison, Contender, RunRecord } from './records';
import type { StepReport } from './train';

export interface Tools {
  /** Makes one run. */
  readonly run: (contender: Contender, onStep: (report: StepReport) => void) => Promise<RunRecord>;
  /** Called with the comparison after every run. */
  readonly save: (comparison: Comparison) => void;
  readonly say: (text: string) => void;
  readonly onStep: (contender: Contender, report: StepReport) => void;
}

/** All runs: of every network first the learned optimizer, as it comes and with each multiplier, then Adam at each rate. */
export function contendersOf(
  networks: readonly ModelName[],
  rates: readonly number[],
  multipliers: readonly number[] = [],
): Contender[] {
  return networks.flatMap((network): Contender[] => [
    { network, optimizer: 'learned', learningRate: null },
    ...multipliers.map((multiplier) => ({ network, optimizer: 'learned' as const, learningRate: null, multiplier })),
    ...rates.map((learningRate) => ({ network, optimizer: 'adam' as const, learningRate })),
  ]);
}

/**
 * Makes the runs that the comparison does not have yet, one after the other, each saved when it is finished.
 * @throws what `tools.run` throws; earlier runs are saved by then
 */
export async function makeRuns(
  contenders: readonly Contender[],
  known: Comparison,
  { run, save, say, onStep }: Tools,
): Promise<Comparison> {
  let comparison = known;
  for (const [i, contender] of contenders.entries()) {
    const name = `run ${i + 1} of ${contenders.length}: ${contender.network}, ${contenderName(contender)}`;
    if (comparison.runs.some((other) => isSame(other, contender))) {
      say(`${name}: there already`);
      continue;
    }
    say(name);
    const record = await run(contender, (report) => onStep(contender, report));
    comparison = { ...comparison, runs: [...comparison.runs, record] };
    save(comparison);
    if (record.divergedAt !== null) say(`${name}: diverged at step ${record.divergedAt}`);
  }
  return comparison;
}
