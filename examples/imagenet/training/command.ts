import type { Context } from '../../../lib/cli/context';
import { Interrupted, UsageError } from '../../../lib/cli/exit';
import { note, printJson, printLine } from '../../../lib/cli/output';
import { createProgress } from '../../../lib/cli/progress';
import { runScript } from '../../../lib/cli/runScript';
import { loadBackend } from '../../../lib/tfjs/backend';
import { fingerprint } from '../data/fingerprint';
import { LayoutError, openSource } from '../data/source';
import type { ImageSource } from '../data/source';
import { MODELS } from '../models/index';
import { CheckpointMismatch } from './checkpoint';
import type { RunIdentity } from './checkpoint';
import { makeOptimizer } from './optimizers';
import { checkFolder, createCommand, imageSize, optimizerChoice } from './options';
import type { TrainOptions } from './options';
import { trainImageModel } from './session';
import type { SessionResult, StepProgress } from './session';

/** Share of the shorter side that is evaluated: photographs have their subject in the middle, digits reach the borders. */
const CENTRE_SHARE = { folder: 0.875, idx: 1 } as const;

function detail({ step, steps, loss, fitMs, waitMs }: StepProgress): string {
  const minutes = Math.ceil(((steps - step) * (fitMs + waitMs)) / 60_000);
  return `loss ${loss.toFixed(3)}, ${Math.round(fitMs)} ms, waited ${Math.round(waitMs)} ms, ${minutes} min left`;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

function printResult(result: SessionResult, context: Context, out: string): void {
  const { loss, evaluation, stepMs, skipped, step } = result;
  const say = (label: string, text: string): void => printLine(context.streams, `${label.padEnd(11)} ${text}`);
  say('steps', `${step}${loss === null ? '' : `, loss of the last ones ${loss.toFixed(4)}`}`);
  if (evaluation) {
    const { loss: held, top1, top5, images, step: at } = evaluation;
    say(
      'evaluation',
      `top-1 ${percent(top1)}, top-5 ${percent(top5)}, loss ${held.toFixed(4)} on ${images.toLocaleString('en')} images after step ${at}`,
    );
  }
  if (stepMs) {
    const [whole, fit, wait] = [stepMs.step, stepMs.fit, stepMs.wait].map((ms) => ms.toFixed(1));
    say('step', `${whole} ms: ${fit} training, ${wait} waiting for images (medians)`);
  }
  if (skipped > 0) say('left out', `${skipped} damaged images`);
  say('run', out);
}

function identityOf(options: TrainOptions, source: ImageSource, size: number, augmentation: string): RunIdentity {
  const { model, batchSize, seed, optimizer, skipDamaged } = options;
  const { learningRate, preset, weights, multiplier, warmupSteps } = options;
  const given = { learningRate, preset, weights, multiplier, warmupSteps };
  return {
    ...{ model, size, data: fingerprint(source) },
    ...{ batchSize, seed, augmentation, skipDamaged, optimizer },
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  } as RunIdentity;
}

async function train(options: TrainOptions, context: Context): Promise<void> {
  const { streams, signal } = context;
  const choice = optimizerChoice(options);
  checkFolder(options);
  const source = await openSource(options.dataDir).catch((error: unknown) => {
    throw error instanceof LayoutError ? new UsageError(`--data-dir ${error.message}`) : error;
  });
  const count = source.train.labels.length;
  if (options.batchSize > count) {
    throw new UsageError(
      `--batch-size: expected at most ${count}, the number of training images, got ${options.batchSize}`,
    );
  }
  const size = imageSize(options, source.kind);
  const stepsPerEpoch = Math.floor(count / options.batchSize);
  const steps = options.steps ?? Math.ceil(options.epochs * stepsPerEpoch);
  const augmentation = options.augment ?? (source.kind === 'idx' ? 'none' : 'full');
  note(streams, source.provenance);

  const { tf, description } = await loadBackend(options.backend);
  const model = MODELS[options.model].build(tf, {
    size,
    classes: source.classes.length,
    head: 'logits',
    seed: options.seed,
  });
  const parameters = model.countParams();
  note(
    streams,
    `${options.model}: ${parameters.toLocaleString('en')} parameters, images ${size}×${size}×3; ${description}; ${stepsPerEpoch.toLocaleString('en')} steps an epoch`,
  );
  const progress = createProgress(streams);
  const result = await trainImageModel({
    ...{ tf, model, source, steps, augmentation, signal },
    optimizer: makeOptimizer(tf, choice),
    folder: options.out,
    resume: options.resume ?? false,
    identity: identityOf(options, source, size, augmentation),
    batchSize: options.batchSize,
    seed: options.seed,
    centreShare: CENTRE_SHARE[source.kind],
    skipDamaged: options.skipDamaged,
    workers: options.workers,
    prefetch: options.prefetch ?? 2 * options.workers,
    evaluateEvery: options.evaluateEvery ?? stepsPerEpoch,
    evaluationImages: options.evaluationImages,
    logEvery: options.logEvery,
    checkpointSeconds: 60 * options.checkpointMinutes,
    onStep: (step) => progress.update('training', step.step, step.steps, detail(step)),
    onEvaluation: (done, total) => progress.update('evaluation', done, total, ''),
  })
    .catch((error: unknown) => {
      if (signal.aborted) throw new Interrupted(`interrupted; go on with --resume --out ${options.out}`);
      throw error instanceof CheckpointMismatch ? new UsageError(`--resume: ${error.message}`) : error;
    })
    .finally(() => progress.stop());
  if (options.json) printJson(streams, { model: options.model, parameters, out: options.out, ...result });
  else printResult(result, context, options.out);
}

/**
 * Runs the command line.
 * @param args without the program's name
 * @returns the exit code; what went wrong has been written
 */
export async function runCommand(args: readonly string[], context: Context): Promise<number> {
  const command = createCommand(context.streams).action((options: TrainOptions) => train(options, context));
  return runScript('train.ts', command, args, context.streams);
}
