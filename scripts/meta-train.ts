/**
 * Meta-trains weights by persistent evolution strategies, logs JSON lines and keeps checkpoints of the moving average:
 * npx tsx scripts/meta-train.ts --minutes 30 --out out/meta
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { createOptimizer } from '../lib/index';
import { train } from '../lib/experiments/training';
import { SUITES } from '../lib/experiments/suites';
import { median } from '../lib/experiments/statistics';
import { finalLoss } from '../lib/experiments/training';
import { flatten, unflatten } from '../lib/meta/flat';
import { metaTrain } from '../lib/meta/trainer';
import { DEFAULT_ARCHITECTURE } from '../lib/optimizer/architecture';
import { initialWeights } from '../lib/optimizer/initialWeights';
import { loadWeights } from '../lib/optimizer/presets';
import { saveWeights } from '../lib/optimizer/weights';

const options = new Command()
  .option('--minutes <n>', 'wall-clock bound', Number, 30)
  .option('--seed <n>', 'of start, problems and perturbations', Number, 1)
  .option('--threads <n>', 'worker threads', Number, 2)
  .option('--rate <x>', "peak of Adam's rate", Number, 1e-3)
  .option('--final-rate <x>', 'its end, as a share of the peak', Number, 0.05)
  .option('--longest <n>', 'longest horizon at the end', Number, 3000)
  .option('--evaluate-minutes <n>', 'between evaluations on the digits networks', Number, 5)
  .option('--init <file>', 'weights to start from instead of random ones')
  .option('--out <dir>', 'folder for log and checkpoints', 'out/meta')
  .parse()
  .opts<{
    minutes: number;
    seed: number;
    threads: number;
    rate: number;
    finalRate: number;
    longest: number;
    evaluateMinutes: number;
    init?: string;
    out: string;
  }>();

const start = options.init
  ? loadWeights(options.init)
  : initialWeights({ ...DEFAULT_ARCHITECTURE, absoluteLearningRate: true }, options.seed);
const { architecture } = start;
mkdirSync(options.out, { recursive: true });
const log = (entry: object): void => {
  const line = JSON.stringify(entry);
  console.log(line);
  appendFileSync(join(options.out, 'log.jsonl'), `${line}\n`);
};
const command = `scripts/meta-train.ts ${process.argv.slice(2).join(' ')}`;
const weightsOf = (flat: Float64Array, minutes: number, innerSteps: number) =>
  unflatten(architecture, flat, {
    name: 'checkpoint',
    description: 'Checkpoint of a meta-training run.',
    provenance: `${command}; ${minutes.toFixed(1)} minutes, ${innerSteps} problem steps`,
    initialLearningRate: 1e-3,
  });

async function validate(flat: Float64Array): Promise<Record<string, string>> {
  const weights = weightsOf(flat, 0, 0);
  const result: Record<string, string> = {};
  for (const name of ['digits', 'digits-epochs']) {
    const suite = SUITES[name];
    for (const initialLearningRate of [1e-3, 1e-2]) {
      const losses: number[] = [];
      for (const seed of [100, 101, 102]) {
        const { losses: curve } = await train(
          suite.problem(),
          (parameters) => {
            const optimizer = createOptimizer([...parameters], { weights, initialLearningRate, threads: 1 });
            return { step: (g) => void optimizer.step([...g]), dispose: () => optimizer.dispose() };
          },
          { seed, steps: 1000, evaluateEvery: 1000, sampling: suite.sampling },
        );
        losses.push(finalLoss(curve));
      }
      result[`${name} ${initialLearningRate}`] = median(losses).toExponential(2);
    }
  }
  return result;
}

let nextLog = 0;
let nextEvaluation = options.evaluateMinutes * 60;
const smoothed: Record<string, number> = {};
const average = await metaTrain({
  architecture,
  start: flatten(start),
  seed: options.seed,
  minutes: options.minutes,
  threads: options.threads,
  rate: options.rate,
  finalRate: options.finalRate,
  horizonGrowth: [300, options.longest],
  pes: {
    truncation: 40,
    sigma: 0.01,
    differenceBound: 2,
    normMultiple: 3,
    augmentation: { rescale: 0.7, interpolation: 0.6, saturation: 0.3 },
    initialRates: { paperRange: [1e-6, 1e-2], constantProbability: 0.5, constantRange: [1e-6, 1e-1] },
    horizon: [50, 300],
  },
  async onProgress(p) {
    for (const [name, loss] of Object.entries(p.losses)) {
      smoothed[name] = name in smoothed ? 0.98 * smoothed[name] + 0.02 * loss : loss;
    }
    if (p.seconds >= nextLog) {
      nextLog = p.seconds + 30;
      log({
        iteration: p.iteration,
        seconds: Math.round(p.seconds),
        stepsPerSecond: Math.round(p.innerSteps / p.seconds),
        rate: Number(p.rate.toPrecision(3)),
        norm: Number(p.gradientNorm.toPrecision(3)),
        longestHorizon: Math.round(p.longestHorizon),
        failures: p.failures,
        losses: Object.fromEntries(Object.entries(smoothed).map(([k, v]) => [k, Number(v.toFixed(2))])),
      });
    }
    if (p.seconds >= nextEvaluation) {
      nextEvaluation = p.seconds + options.evaluateMinutes * 60;
      const minutes = p.seconds / 60;
      saveWeights(join(options.out, `${minutes.toFixed(0)}.safetensors`), weightsOf(p.average, minutes, p.innerSteps));
      log({ minutes: Number(minutes.toFixed(1)), validation: await validate(p.average) });
    }
  },
});
saveWeights(join(options.out, 'final.safetensors'), weightsOf(average, options.minutes, 0));
log({ minutes: options.minutes, validation: await validate(average) });
