import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '../../lib/meta/checkpoint';
import { readLog, RUN_FILES, runMetaTraining } from '../../lib/meta/run';
import type { RunOptions } from '../../lib/meta/run';
import { RUN } from './runSetup';

const root = mkdtempSync(join(tmpdir(), 'meta-run-'));
afterAll(() => rmSync(root, { recursive: true }));

const options = (name: string, more: Partial<RunOptions> = {}): RunOptions => ({
  ...RUN,
  folder: join(root, name),
  ...more,
});
const finalBytes = (name: string): Buffer => readFileSync(join(root, name, RUN_FILES.final));
/** What a log says but for the clock and validation. */
const logged = (name: string): unknown[] =>
  readLog(join(root, name)).map((entry) => ({ ...entry, seconds: 0, validation: undefined }));

describe('a meta-training run', () => {
  it('gives the same bits with one thread and with two', async () => {
    await runMetaTraining(options('whole', { threads: 2 }));
    await runMetaTraining(options('one-thread', { threads: 1 }));
    expect(finalBytes('one-thread').equals(finalBytes('whole'))).toBe(true);
    expect(logged('one-thread')).toEqual(logged('whole'));
  }, 180_000);

  it('killed with SIGKILL in any phase and resumed gives the bits of an uninterrupted run', async () => {
    const folder = join(root, 'killed');
    const child = fileURLToPath(new URL('./runChild.ts', import.meta.url));
    for (const until of [3, 6]) {
      const resume = existsSync(join(folder, RUN_FILES.checkpoint));
      const process_ = spawn(process.execPath, ['--import', 'tsx', child, folder, resume ? 'resume' : 'new'], {
        stdio: 'ignore',
      });
      const ended = new Promise((resolve) => process_.on('exit', (_, signal) => resolve(signal)));
      while (!(existsSync(join(folder, RUN_FILES.checkpoint)) && readLog(folder).length >= until)) await sleep(20);
      process_.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL');
    }
    await runMetaTraining(options('killed', { resume: true }));
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

  it('keeps the snapshot that validation likes best', async () => {
    const scores = [3, 1, 2];
    const { best, bestScore } = await runMetaTraining(
      options('validated', { validate: async () => ({ score: scores.shift()!, rows: [] }) }),
    );
    expect(bestScore).toBe(1);
    expect(JSON.parse(best.metadata.provenance)).toMatchObject({ iteration: 6 });
  }, 180_000);

  it('refuses a folder that holds a run, and one to resume that holds none', async () => {
    await expect(runMetaTraining(options('whole'))).rejects.toThrow(/folder: expected one without a run/);
    await expect(runMetaTraining(options('nothing', { resume: true }))).rejects.toThrow(/folder: expected a run/);
  });
});
