/** `npm run bench:cluster`: what spreading meta-training over workers costs and brings. */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { Command, Option } from 'commander';
import { runScript } from '../lib/cli/runScript';
import { integerAtLeast } from '../lib/cli/options';
import { CORPUS_NAMES } from '../lib/meta/corpus';
import type { CorpusName } from '../lib/meta/corpus';
import { withRedis } from './cluster/processes';
import { apart, cluster, configOf, say, sum, timed } from './cluster/runs';
import type { ClusterStretch, Stretch } from './cluster/runs';
import type { CoordinatorCounts } from '../lib/cluster/coordinator';
import type { WorkerCounts } from '../lib/cluster/worker';
import { measureUneven } from './cluster/uneven';
import { describeMachine } from './machine';
import { median } from './statistics';

interface Options {
  readonly rounds: number;
  readonly iterations: number;
  readonly warmUp: number;
  readonly instant: number;
  readonly corpus: CorpusName;
  readonly truncation?: number;
  readonly copies?: number;
  readonly staleness?: number;
  readonly uneven?: boolean;
  readonly json?: string;
}

const HELP = `
The setting is that of the shipped weights in its evolution phase (truncation 40): its jobs have the real length. Its own
corpus, seven families, is two cores' work; the paper's, 134, is what many machines are for: --corpus paper --rounds 1
--iterations 2 --warm-up 1 --instant 5. Runs are made in turns, several rounds of them, for machines do not stay as fast.

  trainer    iterations per second of the trainer on threads of one process
  cluster    the same with worker processes on this machine, coordinator and Redis included; bits are compared
  apart      two trainers on a thread each that have nothing to do with each other: what the machine can give
  instant    parts per second where workers answer at once with parts of the real size: what the coordinator can feed
  --uneven   instead of these: four workers, one of them four times slower, and what staleness saves; they sleep for as
             long as their parts would take, so the processors are of no account

Figures are of use on an idle machine only; the load is printed with them.
`;

/** Runs that were made one after the other, so that what the machine does beside concerns all alike. */
interface Round {
  readonly trainer: { readonly one: Stretch; readonly two: Stretch };
  readonly cluster: { readonly one: ClusterStretch; readonly two: ClusterStretch };
  /** Iterations per second of two trainers that run apart. */
  readonly apart: number;
}

const same = (a: Float64Array, b: Float64Array): boolean => a.every((value, i) => Object.is(value, b[i]));
const withoutBits = <T extends { average: Float64Array }>({ average: _, ...rest }: T): Omit<T, 'average'> => rest;

/** The runs that are compared, one after the other. */
async function measureRound(
  redis: { readonly url: string; readonly processId: number },
  { iterations, warmUp, ...setting }: Options,
): Promise<Round> {
  const config = configOf(setting, iterations + warmUp);
  say('  trainer, 1 thread');
  const one = await timed(config, warmUp, { threads: 1 });
  say('  cluster, 1 worker');
  const single = await cluster(redis, config, warmUp, ['real']);
  say('  trainer, 2 threads');
  const two = await timed(config, warmUp, { threads: 2 });
  say('  cluster, 2 workers');
  const double = await cluster(redis, config, warmUp, ['real', 'real']);
  say('  two trainers apart');
  const twoApart = await apart(config, warmUp);
  for (const run of [two, single, double]) {
    if (!same(run.average, one.average)) throw new Error('WRONG: a run gave other bits than the trainer on one thread');
  }
  return {
    trainer: { one: withoutBits(one), two: withoutBits(two) },
    cluster: { one: withoutBits(single), two: withoutBits(double) },
    apart: twoApart,
  };
}

async function measure(options: Options): Promise<void> {
  const { warmUp, instant, corpus, truncation, copies, staleness, json } = options;
  const load = [loadavg()[0]];
  const rounds: Round[] = [];
  const fed = await withRedis(async (url, processId) => {
    for (let round = 0; round < options.rounds; round++) {
      say(`round ${round + 1} of ${options.rounds}`);
      rounds.push(await measureRound({ url, processId }, options));
    }
    say('workers that answer at once');
    return cluster({ url, processId }, configOf(options, instant + warmUp), warmUp, [0, 0]);
  });
  load.push(loadavg()[0]);
  const rate = (run: (round: Round) => Stretch): number => median(rounds.map((r) => run(r).iterationsPerSecond));
  const ratio = (a: (round: Round) => Stretch, b: (round: Round) => Stretch): number =>
    median(rounds.map((r) => a(r).iterationsPerSecond / b(r).iterationsPerSecond));
  const [one, two] = [(r: Round): Stretch => r.trainer.one, (r: Round): Stretch => r.trainer.two];
  const [single, double] = [(r: Round): ClusterStretch => r.cluster.one, (r: Round): ClusterStretch => r.cluster.two];
  const all = options.iterations + warmUp;
  const families = double(rounds[0]).counts.jobs / all;
  const workerSum = (count: keyof WorkerCounts): number =>
    sum(rounds.flatMap((r) => double(r).workerCounts.map((counts) => counts[count])));
  const partSeconds = workerSum('busySeconds') / workerSum('parts');
  const instantParts = fed.iterations * families;
  const perUpdate = (bytes: number): number => Math.round(bytes / all / rounds.length);
  const coordinatorSum = (count: keyof CoordinatorCounts): number => sum(rounds.map((r) => double(r).counts[count]));
  const figures = {
    ...{
      corpus,
      truncation: configOf({ corpus, truncation }, 1).phases[0].estimator.truncation,
      copies: copies ?? 1,
      staleness: staleness ?? 0,
    },
    /** Medians over the rounds, ratios within a round. */
    trainer: { one: rate(one), two: rate(two), scaling: ratio(two, one) },
    cluster: {
      ...{ one: rate(single), two: rate(double), scaling: ratio(double, single) },
      ...{ oneOfTrainer: ratio(single, one), twoOfTrainer: ratio(double, two) },
    },
    apart: {
      two: median(rounds.map((r) => r.apart)),
      scaling: median(rounds.map((r) => r.apart / r.trainer.one.iterationsPerSecond)),
    },
    partSeconds,
    bytesPerMetaUpdate: {
      coordinatorSends: perUpdate(coordinatorSum('bytesSent')),
      coordinatorReceives: perUpdate(coordinatorSum('bytesReceived')),
      workersSend: perUpdate(workerSum('bytesSent')),
      workersReceive: perUpdate(workerSum('bytesReceived')),
    },
    instant: {
      ...withoutBits(fed),
      partsPerSecond: instantParts / fed.seconds,
      coordinatorMillisecondsPerPart: (1000 * fed.processorSeconds) / instantParts,
      /** Cores that such a rate of parts of the real length keeps busy, where the corpus has so many families. */
      coresKeptBusy: (instantParts / fed.seconds) * partSeconds,
      /** The same were the coordinator's processor time the only limit: on a core of its own. */
      coresByProcessorTime: (instantParts / fed.processorSeconds) * partSeconds,
    },
    rounds,
  };
  const { trainer, cluster: ours, bytesPerMetaUpdate: bytes, instant: feeding } = figures;
  const row = (name: string, { one: a, two: b, scaling }: typeof trainer): void =>
    console.log(`  ${name.padEnd(20)}  ${a.toFixed(2).padEnd(8)} ${b.toFixed(2).padEnd(8)} ${scaling.toFixed(2)}`);
  console.log(`iterations per second   1        2        2 / 1    medians of ${rounds.length} rounds`);
  row('trainer, threads', trainer);
  row('cluster, workers', ours);
  row('two trainers apart', { ...figures.apart, one: trainer.one });
  console.log(`  cluster / trainer     ${ours.oneOfTrainer.toFixed(2).padEnd(8)} ${ours.twoOfTrainer.toFixed(2)}`);
  console.log(`a part takes ${(1000 * partSeconds).toFixed(1)} ms of computation; ${families} parts per meta-update`);
  console.log(
    `bytes per meta-update: coordinator sends ${bytes.coordinatorSends}, receives ${bytes.coordinatorReceives}; workers send ${bytes.workersSend}, receive ${bytes.workersReceive}`,
  );
  console.log(
    `workers that answer at once: ${feeding.partsPerSecond.toFixed(0)} parts/s, ${feeding.coordinatorMillisecondsPerPart.toFixed(2)} ms of the coordinator's processor time each; enough for ${feeding.coresKeptBusy.toFixed(0)} cores at the real length, by processor time for ${feeding.coresByProcessorTime.toFixed(0)}`,
  );
  const machine = describeMachine();
  console.log(
    `${Object.entries(machine)
      .map(([k, v]) => `${k} ${v}`)
      .join(', ')}; load ${load.map((l) => l.toFixed(1)).join(', ')}`,
  );
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ machine, load, ...figures }, null, 2)}\n`);
}

const command = new Command('bench:cluster')
  .description('Measures meta-training on a cluster whose workers and Redis are on this machine.')
  .option('--rounds <n>', 'how often all runs are made, in turns', integerAtLeast(1), 3)
  .option('--iterations <n>', 'measured per run (100; with --uneven 12)', integerAtLeast(1))
  .option('--warm-up <n>', 'iterations before (80; with --uneven 20)', integerAtLeast(1))
  .option('--instant <n>', 'iterations with workers that answer at once', integerAtLeast(1), 300)
  .addOption(
    new Option('--corpus <name>', 'problems')
      .choices(CORPUS_NAMES.filter((name) => name !== 'none'))
      .default('default'),
  )
  .option('--truncation <n>', 'steps of a part (default: 40), for other lengths of a job', integerAtLeast(1))
  .option('--copies <n>', 'of every family, each with problems of its own', integerAtLeast(1))
  .option('--staleness <n>', 'meta-updates that families may be ahead', integerAtLeast(0))
  .addOption(
    new Option('--uneven', 'measure what staleness saves on uneven machines').conflicts([
      ...['rounds', 'truncation', 'copies', 'staleness', 'instant'],
    ]),
  )
  .option('--json <file>', 'write the figures there')
  .addHelpText('after', HELP)
  .exitOverride()
  .action((options: Partial<Options> & Pick<Options, 'rounds' | 'instant' | 'corpus'>) =>
    options.uneven
      ? measureUneven({ iterations: 12, warmUp: 20, ...options })
      : measure({ iterations: 100, warmUp: 80, ...options }),
  );

const streams = { out: process.stdout, err: process.stderr };
process.exitCode = await runScript('bench:cluster', command, process.argv.slice(2), streams);
process.exit();
