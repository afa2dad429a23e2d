import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '../../lib/meta/checkpoint';
import { flatten } from '../../lib/meta/flat';
import { runMetaTraining } from '../../lib/meta/run';
import type { RunOptions } from '../../lib/meta/run';
import { RUN_FILES } from '../../lib/meta/runFolder';
import { RunLog } from '../../lib/meta/runLog';
import { readWeights } from '../../lib/optimizer/weights';
import { RUN } from './runSetup';

const root = mkdtempSync(join(tmpdir(), 'meta-run-'));
afterAll(() => rmSync(root, { recursive: true }));

const options = (name: string, more: Partial<RunOptions> = {}): RunOptions => ({
  ...RUN,
  folder: join(root, name),
  ...more,
});
const finalBytes = (name: string): Buffer => readFileSync(join(root, name, RUN_FILES.final));
const logOf = (name: string): RunLog => new RunLog(join(root, name, RUN_FILES.log));
/** What a log says but for the clock and validation. */
const logged = (name: string): unknown[] =>
  logOf(name)
    .entries()
    .map((entry) => ({ ...entry, seconds: 0 }));

/** The run in a process of its own, killed as soon as it may be. */
async function runAndKill(folder: string, mode: 'new' | 'resume', mayBeKilled: () => boolean): Promise<void> {
  const child = spawn(process.execPath, ['--import', 'tsx', runChild, folder, mode], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
  while (!mayBeKilled()) await sleep(5);
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
}

const runChild = fileURLToPath(new URL('./runChild.ts', import.meta.url));
const noValidation = async () => Promise.resolve({ score: 0, rows: null });

describe('a meta-training run', () => {
  it('gives the same bits with one thread and with two', async () => {
    await runMetaTraining(options('whole', { threads: 2 }));
    await runMetaTraining(options('one-thread', { threads: 1 }));
    expect(finalBytes('one-thread').equals(finalBytes('whole'))).toBe(true);
    expect(logged('one-thread')).toEqual(logged('whole'));
  }, 180_000);

  it('killed with SIGKILL in any phase and resumed gives the bits of an uninterrupted run', async () => {
    const folder = join(root, 'killed');
    // Before the first checkpoint, in the first phase, in the second.
    await runAndKill(folder, 'new', () => existsSync(join(folder, RUN_FILES.config)));
    expect(existsSync(join(folder, RUN_FILES.checkpoint))).toBe(false);
    await runAndKill(folder, 'resume', () => logOf('killed').entries().length >= 3);
    await runAndKill(folder, 'resume', () => logOf('killed').entries().length >= 6);
    await runMetaTraining(options('killed', { resume: true, validate: noValidation }));
    expect(finalBytes('killed').equals(finalBytes('whole'))).toBe(true);
    expect(logged('killed')).toEqual(logged('whole'));
  }, 240_000);

  it('aborted writes a checkpoint of where it was, and resumed gives the bits of an uninterrupted run', async () => {
    const controller = new AbortController();
    const run = runMetaTraining(
      options('aborted', {
        checkpointSeconds: 1e6,
        signal: controller.signal,
        onProgress: ({ iteration }) => iteration === 5 && controller.abort(new Error('enough')),
      }),
    );
    await expect(run).rejects.toThrow('enough');
    expect(loadCheckpoint(join(root, 'aborted', RUN_FILES.checkpoint))).toMatchObject({ phase: 1, iteration: 1 });
    await runMetaTraining(options('aborted', { resume: true }));
    expect(finalBytes('aborted').equals(finalBytes('whole'))).toBe(true);
  }, 180_000);

  it('aborted in a validation goes on from there, and judges that snapshot first', async () => {
    const interrupted = runMetaTraining(
      options('unjudged', { checkpointSeconds: 1e6, validate: () => Promise.reject(new Error('enough')) }),
    );
    await expect(interrupted).rejects.toThrow('enough');
    expect(loadCheckpoint(join(root, 'unjudged', RUN_FILES.checkpoint))).toMatchObject({ phase: 0, iteration: 3 });

    await expect(runMetaTraining(options('unjudged', { resume: true }))).rejects.toThrow(
      /validate: expected a function, for the run began with one/,
    );
    const judged: unknown[] = [];
    await runMetaTraining(
      options('unjudged', {
        // As it began, whatever is asked for now.
        ...{ resume: true, logEvery: 2, snapshotEvery: 2 },
        validate: async (weights) => (
          judged.push((JSON.parse(weights.metadata.provenance) as { iteration: number }).iteration),
          { score: 0, rows: [] }
        ),
      }),
    );
    expect(judged).toEqual([3, 6, 8]);
    expect(
      logOf('unjudged')
        .validations()
        .map(({ iteration }) => iteration),
    ).toEqual([3, 6, 8]);
    expect(logged('unjudged')).toEqual(logged('whole'));
    expect(finalBytes('unjudged').equals(finalBytes('whole'))).toBe(true);
  }, 180_000);

  it('keeps the snapshot that validation likes best', async () => {
    const scores = [3, 1, 2];
    const { best, bestScore } = await runMetaTraining(
      options('validated', { validate: async () => ({ score: scores.shift()!, rows: [] }) }),
    );
    expect(bestScore).toBe(1);
    expect(JSON.parse(best.metadata.provenance)).toMatchObject({ iteration: 6 });
  }, 180_000);

  it('begins with given weights, in an architecture with their shapes, and a resumed run does so too', async () => {
    const start = readWeights(join(root, 'whole', RUN_FILES.final));
    const config = { ...RUN.config, architecture: { ...RUN.config.architecture, activations: 'algebraic' as const } };
    await runMetaTraining(options('refined', { config, start }));
    const controller = new AbortController();
    const interrupted = runMetaTraining(
      options('refined-killed', { config, start, signal: controller.signal, onProgress: () => controller.abort() }),
    );
    await expect(interrupted).rejects.toThrow();
    // As if it had been killed before its first checkpoint.
    rmSync(join(root, 'refined-killed', RUN_FILES.checkpoint));
    await runMetaTraining(options('refined-killed', { resume: true }));
    expect(finalBytes('refined-killed').equals(finalBytes('refined'))).toBe(true);

    const refined = readWeights(join(root, 'refined', RUN_FILES.final));
    const file = readFileSync(join(root, 'refined', RUN_FILES.start));
    expect(JSON.parse(refined.metadata.provenance)).toMatchObject({
      start: { name: start.metadata.name, sha256: createHash('sha256').update(file).digest('hex') },
    });
    // Eight iterations at the rates of the configuration move a meta-parameter by less than 0.1.
    const [before, after] = [flatten(start), flatten(refined)];
    const moved = before.map((v, i) => Math.abs(v - after[i]));
    expect(Math.max(...moved)).toBeGreaterThan(0);
    expect(Math.max(...moved)).toBeLessThan(0.1);

    const architecture = { ...config.architecture, parameterHidden: config.architecture.parameterHidden + 1 };
    await expect(runMetaTraining(options('misfit', { config: { ...config, architecture }, start }))).rejects.toThrow(
      /start: expected weights that suit the configuration's architecture, but weights: tensor '.*': expected/,
    );
    expect(existsSync(join(root, 'misfit'))).toBe(false);
  }, 180_000);

  it('refuses a folder that holds a run, and one to resume that holds none', async () => {
    await expect(runMetaTraining(options('whole'))).rejects.toThrow(/folder: expected one without a run/);
    await expect(runMetaTraining(options('nothing', { resume: true }))).rejects.toThrow(/folder: expected a run/);
  });
});
