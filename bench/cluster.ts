/** `npm run bench:cluster`: what spreading meta-training over workers costs and brings. */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { Command, Option } from 'commander';
import { runScript } from '../lib/cli/runScript';
import { integerAtLeast } from '../lib/cli/options';
import { CORPUS_NAMES } from '../lib/meta/corpus';
import type { CorpusName } from '../lib/meta/corpus';
import { withRedis } from './cluster/processes';
import { cluster, configOf, say, sum, timed } from './cluster/runs';
import type { Stretch } from './cluster/runs';
import { measureUneven } from './cluster/uneven';
import { describeMachine } from './machine';

interface Options {
  readonly iterations: number;
  readonly warmUp: number;
  readonly instant: number;
  readonly corpus: CorpusName;
  readonly truncation?: number;
  readonly uneven?: boolean;
  readonly json?: string;
}

const HELP = `
The setting is that of the shipped weights in its evolution phase (truncation 40): its jobs have the real length. Its own
corpus, seven families, is two cores' work; the paper's, 134, is what many machines are for: --corpus paper --iterations 2
--warm-up 1 --instant 5, ten minutes.

  trainer    iterations per second of the trainer on threads of one process
  cluster    the same with worker processes on this machine, coordinator and Redis included; bits are compared
  instant    jobs per second where workers answer at once with states of the real size: what the coordinator can feed
  --uneven   instead of these: four workers, one of them four times slower, and what staleness saves; they sleep for as
             long as their parts would take, so the processors are of no account

Figures are of use on an idle machine only; the load is printed with them.
`;

/** Iterations after which both workers have had nearly every family, and so have their answers ready. */
const UNTIL_READY = 15;

const same = (a: Float64Array, b: Float64Array): boolean => a.every((value, i) => Object.is(value, b[i]));
const withoutBits = <T extends { average: Float64Array }>({ average: _, ...rest }: T): Omit<T, 'average'> => rest;

async function measure(options: Options): Promise<void> {
  const { iterations, warmUp, instant, corpus, json } = options;
  const load = [loadavg()[0]];
  const config = configOf(options, iterations + warmUp);
  say('trainer, 1 thread');
  const one = await timed(config, warmUp, { threads: 1 });
  say('trainer, 2 threads');
  const two = await timed(config, warmUp, { threads: 2 });
  const [single, double, fed] = await withRedis(async (url, processId) => {
    const redis = { url, processId };
    say('cluster, 1 worker');
    const first = await cluster(redis, config, warmUp, ['real']);
    say('cluster, 2 workers');
    const second = await cluster(redis, config, warmUp, ['real', 'real']);
    say('cluster, workers that answer at once');
    const third = await cluster(redis, configOf(options, instant + UNTIL_READY), UNTIL_READY, [0, 0]);
    return [first, second, third] as const;
  });
  for (const run of [two, single, double]) {
    if (!same(run.average, one.average)) throw new Error('WRONG: a run gave other bits than the trainer on one thread');
  }
  load.push(loadavg()[0]);
  const families = double.counts.jobs / config.phases[0].iterations;
  const jobSeconds =
    sum(double.workerCounts.map(({ busySeconds }) => busySeconds)) / sum(double.workerCounts.map(({ parts }) => parts));
  const instantJobs = fed.iterations * families;
  const perUpdate = (bytes: number): number => Math.round(bytes / config.phases[0].iterations);
  const figures = {
    corpus,
    truncation: config.phases[0].estimator.truncation,
    trainer: {
      one: withoutBits(one),
      two: withoutBits(two),
      scaling: two.iterationsPerSecond / one.iterationsPerSecond,
    },
    cluster: {
      one: withoutBits(single),
      two: withoutBits(double),
      scaling: double.iterationsPerSecond / single.iterationsPerSecond,
      ofTrainer: double.iterationsPerSecond / two.iterationsPerSecond,
    },
    jobSeconds,
    bytesPerMetaUpdate: {
      coordinatorSends: perUpdate(double.counts.bytesSent),
      coordinatorReceives: perUpdate(double.counts.bytesReceived),
      workersSend: perUpdate(sum(double.workerCounts.map(({ bytesSent }) => bytesSent))),
      workersReceive: perUpdate(sum(double.workerCounts.map(({ bytesReceived }) => bytesReceived))),
    },
    instant: {
      ...withoutBits(fed),
      jobsPerSecond: instantJobs / fed.seconds,
      coordinatorMillisecondsPerJob: (1000 * fed.processorSeconds) / instantJobs,
      /** Cores that such a rate of jobs of the real length keeps busy, where the corpus has so many families. */
      coresKeptBusy: (instantJobs / fed.seconds) * jobSeconds,
      /** The same were the coordinator's processor time the only limit: on a core of its own. */
      coresByProcessorTime: (instantJobs / fed.processorSeconds) * jobSeconds,
    },
  };
  const rate = ({ iterationsPerSecond }: Stretch): string => iterationsPerSecond.toFixed(2);
  console.log(`iterations per second   1        2        2 / 1`);
  console.log(
    `  trainer, threads      ${rate(one).padEnd(8)} ${rate(two).padEnd(8)} ${figures.trainer.scaling.toFixed(2)}`,
  );
  console.log(
    `  cluster, workers      ${rate(single).padEnd(8)} ${rate(double).padEnd(8)} ${figures.cluster.scaling.toFixed(2)}`,
  );
  console.log(`a job takes ${(1000 * jobSeconds).toFixed(1)} ms of computation; ${families} jobs per meta-update`);
  const { coordinatorSends, coordinatorReceives, workersSend, workersReceive } = figures.bytesPerMetaUpdate;
  console.log(
    `bytes per meta-update: coordinator sends ${coordinatorSends}, receives ${coordinatorReceives}; workers send ${workersSend}, receive ${workersReceive}`,
  );
  const { jobsPerSecond, coordinatorMillisecondsPerJob, coresKeptBusy, coresByProcessorTime } = figures.instant;
  console.log(
    `workers that answer at once: ${jobsPerSecond.toFixed(0)} jobs/s, ${coordinatorMillisecondsPerJob.toFixed(2)} ms of the coordinator's processor time each; enough for ${coresKeptBusy.toFixed(0)} cores at the real length, by processor time for ${coresByProcessorTime.toFixed(0)}`,
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
  .option('--iterations <n>', 'measured per run', integerAtLeast(1), 60)
  .option('--warm-up <n>', 'iterations before', integerAtLeast(1), 15)
  .option('--instant <n>', 'iterations with workers that answer at once', integerAtLeast(1), 300)
  .addOption(
    new Option('--corpus <name>', 'problems')
      .choices(CORPUS_NAMES.filter((name) => name !== 'none'))
      .default('default'),
  )
  .option('--truncation <n>', 'steps of a part (default: 40), for other lengths of a job', integerAtLeast(1))
  .option('--uneven', 'measure what staleness saves on uneven machines')
  .option('--json <file>', 'write the figures there')
  .addHelpText('after', HELP)
  .exitOverride()
  .action((options: Options) => (options.uneven ? measureUneven(options) : measure(options)));

const streams = { out: process.stdout, err: process.stderr };
process.exitCode = await runScript('bench:cluster', command, process.argv.slice(2), streams);
process.exit();
