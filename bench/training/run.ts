import type { ModelName } from '../../examples/imagenet/models/index';
import { missing, withRow } from './results';
import type { Results, Row } from './results';
import type { Job, Message } from './worker';

export interface Plan {
  readonly networks: readonly ModelName[];
  /** Ascending. */
  readonly batchSizes: readonly number[];
  readonly size: number;
  readonly steps: number;
  readonly warmUp: number;
  readonly optimizers: readonly string[];
  /** Measure rows again that are there. */
  readonly force: boolean;
}

export interface Tools {
  /** Runs one job; rejects when its process fails. */
  readonly runJob: (job: Job, onMessage: (message: Message) => void) => Promise<void>;
  readonly signal: AbortSignal;
  /** Called with every new row. */
  readonly save: (results: Results) => void;
  readonly say: (text: string) => void;
}

export interface Outcome {
  readonly results: Results;
  /** What was wrong. */
  readonly failed: readonly string[];
}

/**
 * Measures what the results do not have yet, network by network, batch sizes from the smallest up. Where a process fails the larger
 * batches of its network are left out.
 * @throws the signal's reason when aborted; rows are saved by then
 */
export async function measureAll(plan: Plan, known: Results, tools: Tools): Promise<Outcome> {
  let results = known;
  const failed: string[] = [];
  const { size, steps, warmUp, optimizers, force } = plan;
  for (const network of plan.networks) {
    for (const batchSize of plan.batchSizes) {
      const setting = { network, size, batchSize };
      const name = `${network}, ${size} pixels, batch ${batchSize}`;
      const wanted = force ? [...optimizers] : missing(results.rows, setting, optimizers, steps);
      if (wanted.length === 0) {
        tools.say(`${name}: there already`);
        continue;
      }
      tools.say(`${name}: ${wanted.join(', ')}`);
      const onMessage = (message: Message): void => {
        if (message.kind === 'progress') tools.say(`  ${message.done} of ${message.total} rounds`);
        else if (message.kind === 'failed') {
          failed.push(message.text);
          tools.say(`  WRONG: ${message.text}`);
        } else {
          results = { ...results, rows: withRow(results.rows, message.row) };
          tools.save(results);
          tools.say(`  ${summary(message.row)}`);
        }
      };
      try {
        await tools.runJob({ ...setting, optimizers: wanted, steps, warmUp }, onMessage);
      } catch (error) {
        tools.signal.throwIfAborted();
        const text = `${name} and larger batches: ${(error as Error).message}`;
        tools.say(`  ${text}`);
        failed.push(text);
        results = { ...results, skipped: [...results.skipped, text] };
        tools.save(results);
        break;
      }
    }
  }
  return { results, failed };
}

const summary = ({ optimizer, milliseconds, adamMilliseconds, ratio }: Row): string =>
  `${optimizer} ${milliseconds.toFixed(0)} ms, Adam ${adamMilliseconds.toFixed(0)} ms, ${ratio.toFixed(3)}×`;
