/** `npm run bench:training`: a whole training step of image networks, learned optimizer beside Adam. */
import { CommanderError } from 'commander';
import { EXIT, Interrupted } from '../lib/cli/exit';
import { requireChartPackages } from '../lib/experiments/chart';
import { loadBackend } from '../lib/tfjs/backend';
import { describeMachine } from './machine';
import { parseOptions } from './training/options';
import type { Options } from './training/options';
import { runJob } from './training/processes';
import { trainingTable, writePicture } from './training/report';
import { readResults, writeResults } from './training/results';
import { measureAll } from './training/run';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function measure(options: Options, signal: AbortSignal): Promise<number> {
  const { json, picture } = options;
  if (picture !== undefined) await requireChartPackages();
  const { description } = await loadBackend('node');
  const known = readResults(json, describeMachine(), description);
  const { results, failed } = await measureAll(options, known, {
    runJob: (job, onMessage) => runJob(job, signal, onMessage),
    signal,
    save: (current) => json !== undefined && writeResults(json, current),
    say,
  });
  if (results.rows.length > 0) console.log(trainingTable(results.rows));
  console.log(
    `${description}; ${Object.entries(results.machine)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ')}`,
  );
  for (const text of failed) console.log(`failed: ${text}`);
  if (picture !== undefined) await writePicture(picture, results.rows);
  return failed.length > 0 ? EXIT.failure : EXIT.success;
}

async function main(): Promise<number> {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new Interrupted('interrupted; rows that were measured are kept')));
  try {
    return await measure(parseOptions(process.argv.slice(2)), controller.signal);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage;
    say(`bench:training: ${(error as Error).message}`);
    return error instanceof Interrupted ? EXIT.interrupted : EXIT.failure;
  }
}

process.exitCode = await main();
