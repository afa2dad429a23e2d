/** `npm run bench`: one optimizer step beside Adam of TensorFlow.js, and by size. */
import { writeFileSync } from 'node:fs';
import { loadBackend } from '../lib/tfjs/backend';
import type { BackendName } from '../lib/tfjs/backend';
import { readOptions } from './options';
import type { Options } from './options';
import { describeMachine } from './machine';
import { nameOf, pinTo, runJob } from './processes';
import type { Overhead } from './overhead';
import type { Message, Row } from './results';
import { HUGE_SIZE, QUICK_SCALING_SIZES, SCALING_SIZES } from './scaling';
import type { ScalingRow } from './scaling';
import type { SmallStep } from './smallStep';
import { comparisonTable, overheadTable, scalingTable, smallStepTable } from './table';
import type { Job } from './worker';

interface Results {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly backends: Set<string>;
  readonly rows: Row[];
  readonly smallSteps: SmallStep[];
  readonly scaling: ScalingRow[];
  readonly overheads: Overhead[];
  readonly skipped: string[];
  readonly failed: string[];
}

const BACKENDS: readonly BackendName[] = ['node', 'wasm', 'cpu'];

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** The backends that can be loaded; says why the others cannot. */
async function installed(wanted: readonly BackendName[]): Promise<BackendName[]> {
  const found: BackendName[] = [];
  for (const name of wanted) {
    try {
      await loadBackend(name);
      found.push(name);
    } catch (error) {
      say(`${name} is left out: ${(error as Error).message}`);
    }
  }
  return found;
}

/**
 * One job per number of threads and backend, and one for the scaling. Plain arrays go with the first backend, whose Adam
 * they are compared with.
 */
function makeJobs(options: Options, available: readonly BackendName[], threads: number): Job[] {
  const { sizes, quick, overhead, only, huge } = options;
  const comparisons = available
    .map((backend, i) => ({
      kind: 'comparison' as const,
      backend,
      threads,
      sizes,
      quick,
      raw: i === 0 && only.includes('raw'),
      tfOptimizer: only.includes(backend),
      overhead,
    }))
    .filter((job) => job.tfOptimizer || (job.raw && !overhead));
  if (overhead || !only.includes('scaling')) return comparisons;
  const scalingSizes = [...(quick ? QUICK_SCALING_SIZES : SCALING_SIZES), ...(huge ? [HUGE_SIZE] : [])];
  return [...comparisons, { kind: 'scaling', threads, sizes: scalingSizes, quick }];
}

function collect(results: Results, message: Message): void {
  switch (message.kind) {
    case 'backend':
      results.backends.add(message.description);
      break;
    case 'progress':
      say(`  ${message.text}`);
      break;
    case 'row':
      results.rows.push(message.row);
      break;
    case 'smallStep':
      results.smallSteps.push(message.smallStep);
      break;
    case 'scaling':
      results.scaling.push(message.row);
      break;
    case 'overhead':
      results.overheads.push(message.overhead);
      break;
    case 'skipped':
      say(`  skipped: ${message.text}`);
      results.skipped.push(message.text);
      break;
    case 'failed':
      say(`  WRONG: ${message.text}`);
      results.failed.push(message.text);
      break;
  }
}

async function runAll(options: Options, available: readonly BackendName[], results: Results): Promise<void> {
  for (const threads of options.threads) {
    const pinning = pinTo(threads);
    if (pinning === null) {
      results.skipped.push(`${threads} threads: this machine has fewer cores`);
      say(results.skipped.at(-1)!);
      continue;
    }
    for (const job of makeJobs(options, available, threads)) {
      say(`${nameOf(job)}, ${threads} ${threads === 1 ? 'thread' : 'threads'} (${pinning.description})`);
      try {
        await runJob(job, pinning, (message) => collect(results, message));
      } catch (error) {
        results.failed.push((error as Error).message);
        say((error as Error).message);
      }
    }
  }
}

async function main(): Promise<number> {
  const options = readOptions(process.argv);
  const started = performance.now();
  const needsAnyBackend = options.only.includes('raw');
  const comparing = options.only.some((subject) => subject !== 'scaling');
  const available = await installed(BACKENDS.filter((name) => needsAnyBackend || options.only.includes(name)));
  if (comparing && available.length === 0) {
    say('no backend of TensorFlow.js can be loaded, so there is nothing to compare with');
    return 1;
  }
  const results: Results = {
    machine: describeMachine(),
    backends: new Set(),
    rows: [],
    smallSteps: [],
    scaling: [],
    overheads: [],
    skipped: [],
    failed: [],
  };
  await runAll(options, available, results);
  const seconds = Math.round((performance.now() - started) / 1000);
  if (results.rows.length > 0) console.log(comparisonTable(results.rows));
  if (results.overheads.length > 0) console.log(overheadTable(results.overheads));
  if (results.smallSteps.length > 0) {
    console.log('\nWhere a small step on plain arrays goes, in microseconds:');
    console.log(smallStepTable(results.smallSteps));
  }
  if (results.scaling.length > 0) {
    console.log('\nSteps on plain arrays by size, beside a million parameters in one tensor:');
    console.log(scalingTable(results.scaling));
  }
  console.log(
    `\n${Object.entries(results.machine)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ')}; ${seconds} s`,
  );
  for (const text of results.skipped) console.log(`skipped: ${text}`);
  for (const text of results.failed) console.log(`WRONG: ${text}`);
  if (options.json !== undefined) {
    const document = { ...results, backends: [...results.backends], seconds };
    writeFileSync(options.json, `${JSON.stringify(document, null, 2)}\n`);
  }
  return results.failed.length > 0 ? 1 : 0;
}

process.exitCode = await main();
