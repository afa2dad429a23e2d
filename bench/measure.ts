import type { Contestant } from './contestants';

export interface Effort {
  /** Rounds wanted; a slow case gets fewer, at least `MIN_ROUNDS`. */
  readonly rounds: number;
  /** Each contestant's part of a round lasts at least so long. */
  readonly roundMilliseconds: number;
  /** What a case may take in all before rounds are cut. */
  readonly caseMilliseconds: number;
}

export const FULL: Effort = { rounds: 9, roundMilliseconds: 20, caseMilliseconds: 6000 };
export const QUICK: Effort = { rounds: 5, roundMilliseconds: 10, caseMilliseconds: 1000 };
const MIN_ROUNDS = 3;
/** Steps before anything is measured: code is compiled, memory is touched, learned state is under way. */
const WARM_UP_STEPS = 3;
/** Steps of a contestant after which its parameters are compared with the reference. */
export const VERIFIED_STEPS = 50;

export interface Measurement {
  readonly contestant: Contestant;
  /** Milliseconds per step, round by round. */
  readonly rounds: readonly number[];
  readonly steps: number;
}

/** A contestant's step takes longer than a round may. */
export class TooSlow extends Error {
  override readonly name = 'TooSlow';
}

class Runner {
  steps = 0;
  stepsPerRound = 1;
  readonly rounds: number[] = [];

  constructor(
    readonly contestant: Contestant,
    private readonly checkpoint: (contestant: Contestant, steps: number) => void,
  ) {}

  /** Milliseconds per step over `count` steps. The parameters are looked at between timed stretches only. */
  run(count: number): number {
    let elapsed = 0;
    for (let done = 0; done < count;) {
      const left = VERIFIED_STEPS - this.steps;
      const stretch = left > 0 ? Math.min(count - done, left) : count - done;
      const started = performance.now();
      for (let i = 0; i < stretch; i++) this.contestant.step();
      elapsed += performance.now() - started;
      done += stretch;
      this.steps += stretch;
      if (this.steps === VERIFIED_STEPS) this.checkpoint(this.contestant, this.steps);
    }
    return elapsed / count;
  }
}

/**
 * Steps the contestants in turns, round by round, so that whatever else the machine does meets all of them alike.
 * @param checkpoint called once per contestant, after `VERIFIED_STEPS` steps or at the end when there were fewer
 * @throws TooSlow when one step takes longer than `maxStepMilliseconds`
 */
export function measure(
  contestants: readonly Contestant[],
  effort: Effort,
  maxStepMilliseconds: number,
  checkpoint: (contestant: Contestant, steps: number) => void,
): Measurement[] {
  const runners = contestants.map((contestant) => new Runner(contestant, checkpoint));
  let roundMilliseconds = 0;
  for (const runner of runners) {
    let last = 0;
    for (let i = 0; i < WARM_UP_STEPS; i++) {
      last = runner.run(1);
      // The first step allocates the state.
      if (i > 0 && last > maxStepMilliseconds) {
        throw new TooSlow(`a step of ${runner.contestant.name} takes ${(last / 1000).toFixed(1)} s`);
      }
    }
    // Compiled code is several times faster than the first steps: calibrate again until the stretch is long enough.
    while (last * runner.stepsPerRound < effort.roundMilliseconds) {
      runner.stepsPerRound = Math.min(4 * runner.stepsPerRound, Math.ceil((1.2 * effort.roundMilliseconds) / last));
      last = runner.run(runner.stepsPerRound);
    }
    roundMilliseconds += last * runner.stepsPerRound;
  }
  const affordable = Math.floor(effort.caseMilliseconds / roundMilliseconds);
  const rounds = Math.max(MIN_ROUNDS, Math.min(effort.rounds, affordable));
  for (let round = 0; round < rounds; round++) {
    for (const runner of runners) runner.rounds.push(runner.run(runner.stepsPerRound));
  }
  for (const runner of runners) if (runner.steps < VERIFIED_STEPS) checkpoint(runner.contestant, runner.steps);
  return runners.map(({ contestant, rounds: times, steps }) => ({ contestant, rounds: times, steps }));
}
