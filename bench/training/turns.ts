/** An optimizer with a network of its own. */
export interface Contestant {
  readonly name: string;
  /** One training step; gives the loss before it. */
  step(): Promise<number>;
}

export interface Timings {
  readonly name: string;
  /** Milliseconds of the step of each round. */
  readonly rounds: readonly number[];
  /** Milliseconds of processor time of the same steps, all threads together: other programs disturb it less. */
  readonly cpuRounds: readonly number[];
  /** The first step, which allocates the state. */
  readonly firstMilliseconds: number;
  /** Of the last step. */
  readonly loss: number;
}

export interface Turns {
  readonly rounds: number;
  /** Steps of everybody before the rounds that are timed, at least one. */
  readonly warmUp: number;
  /** Milliseconds; stands still where a test wants it to. */
  readonly now?: () => number;
  /** Milliseconds of processor time that the process has used. */
  readonly cpu?: () => number;
  readonly onRound?: (done: number, total: number) => void;
}

function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** A step gave a loss that is NaN or infinite. */
export class NotFinite extends Error {
  override readonly name = 'NotFinite';
}

/**
 * Steps the contestants in turns, one step each per round, so that whatever else the machine does meets all of them alike.
 * @throws {RangeError} for counts below 1; {NotFinite} naming the contestant and the step
 */
export async function takeTurns(contestants: readonly Contestant[], turns: Turns): Promise<Timings[]> {
  const { rounds, warmUp, now = () => performance.now(), cpu = processorTime, onRound } = turns;
  for (const [name, value] of Object.entries({ rounds, warmUp })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`${name}: expected a whole number of at least 1, got ${String(value)}`);
    }
  }
  const times = contestants.map((): number[] => []);
  const cpuTimes = contestants.map((): number[] => []);
  const losses = contestants.map(() => NaN);
  const total = warmUp + rounds;
  for (let round = 0; round < total; round++) {
    for (const [i, contestant] of contestants.entries()) {
      const [started, used] = [now(), cpu()];
      losses[i] = await contestant.step();
      times[i].push(now() - started);
      cpuTimes[i].push(cpu() - used);
      if (!Number.isFinite(losses[i])) {
        throw new NotFinite(
          `${contestant.name}: the loss of step ${round + 1} is ${losses[i]}, expected a finite number`,
        );
      }
    }
    onRound?.(round + 1, total);
  }
  return contestants.map(({ name }, i) => ({
    name,
    rounds: times[i].slice(warmUp),
    cpuRounds: cpuTimes[i].slice(warmUp),
    firstMilliseconds: times[i][0],
    loss: losses[i],
  }));
}
