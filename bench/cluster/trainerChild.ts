/** A trainer on one thread, in a process of its own. Argument: configuration and warm-up. Prints its iterations per second. */
import type { MetaTrainingConfig } from '../../lib/meta/config';
import { timed } from './runs';

const { config, warmUp } = JSON.parse(process.argv[2]) as {
  readonly config: MetaTrainingConfig;
  readonly warmUp: number;
};
process.stdout.write(String((await timed(config, warmUp, { threads: 1 })).iterationsPerSecond));
process.exit();
