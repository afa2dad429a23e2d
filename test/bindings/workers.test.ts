import { describe, expect, it } from 'vitest';
import { bitsOf, makeFixture, startWorker, runFile, runScript } from './setup';
import type { TrainJob } from './trainWorker';

const LENGTHS = [30_000, 2048, 7];
const STEPS = 30;

/** Trains in a worker thread; resolves to its final snapshot. */
function trainInWorker(job: TrainJob): Promise<unknown> {
  const worker = startWorker('./trainWorker.ts', job);
  return new Promise((resolve, reject) => {
    worker.on('message', (message) => message !== 'started' && resolve(message));
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('the worker ended without a result')));
  });
}

describe('worker threads', () => {
  it('train at the same time with the bits of the main thread', async () => {
    const job = { lengths: LENGTHS, steps: STEPS };
    const workers = [
      trainInWorker({ ...job, asynchronous: false }),
      trainInWorker({ ...job, asynchronous: true }),
      trainInWorker({ ...job, asynchronous: false }),
    ];
    const main = makeFixture(LENGTHS);
    for (let i = 1; i <= STEPS; ++i) await main.native.stepAsync(main.request(i % 10));
    for (const snapshot of await Promise.all(workers)) expect(bitsOf(snapshot)).toBe(bitsOf(main.snapshot()));
  });

  it.each(['sync', 'async'])(
    'may be terminated in mid-step (%s) while the main thread goes on',
    { timeout: 180_000 },
    async (mode) => {
      const { code, signal, stdout, stderr } = await runFile('workersRun.ts', [mode, '4']);
      expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
      expect(JSON.parse(stdout)).toEqual({ equal: true, terminated: 32 });
    },
  );
});

/** Begins an asynchronous step that takes a while, and goes on with `then`. */
const pendingStep = (then: string): string => `
  import { makeFixture } from './test/bindings/setup.ts';
  const fixture = makeFixture([400_000]);
  const promise = fixture.native.stepAsync(fixture.request());
  ${then}
`;

/** The same in a worker thread; the main thread prints the worker's exit code. */
const pendingStepInWorker = (inWorker: string, inMain: string): string => `
  import { startWorker } from './test/bindings/setup.ts';
  const worker = startWorker('./pendingWorker.ts', '${inWorker}');
  worker.on('error', () => {});
  worker.on('message', () => { ${inMain} });
  worker.on('exit', (code) => process.stdout.write('worker ' + code));
`;

describe('the end of a process while an asynchronous step is pending', () => {
  it.each([
    ['process.exit at once', 'process.exit(0);', 0],
    ['process.exit on the next turn', 'setImmediate(() => process.exit(0));', 0],
    ['process.exit with a code', 'setTimeout(() => process.exit(3), 1);', 3],
    ['process.exit when the step is complete', 'promise.then(() => process.exit(0));', 0],
  ])('%s does not crash', async (_, then, expected) => {
    expect(await runScript(pendingStep(then))).toEqual({ code: expected, signal: null, stdout: '', stderr: '' });
  });

  it('an uncaught exception ends it as ever', async () => {
    const { code, signal, stderr } = await runScript(pendingStep(`throw new Error('mine');`));
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toContain('Error: mine');
  });

  it('a process with nothing else to do waits for the step', async () => {
    const then = `promise.then((report) => process.stdout.write(JSON.stringify(report.lost)));`;
    expect(await runScript(pendingStep(then))).toEqual({ code: 0, signal: null, stdout: '[]', stderr: '' });
  });

  it.each([
    ['terminated', 'wait', 'worker.terminate();', 'worker 1'],
    ['that exits', 'exit', '', 'worker 4'],
    ['that throws', 'throw', '', 'worker 1'],
  ])('a worker %s does not crash it', async (_, inWorker, inMain, printed) => {
    expect(await runScript(pendingStepInWorker(inWorker, inMain))).toEqual({
      code: 0,
      signal: null,
      stdout: printed,
      stderr: '',
    });
  });
});
