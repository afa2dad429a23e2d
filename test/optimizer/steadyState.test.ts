import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

interface Outcome {
  readonly garbagePerStep: number;
  readonly heapGrowth: readonly number[];
  readonly residentGrowth: readonly number[];
}

/** So large a young generation that nothing is collected while garbage is counted. */
const ROOMY = ['--min-semi-space-size=64', '--max-semi-space-size=64'];

async function run(tensors: number, steps: number, flags: readonly string[]): Promise<Outcome> {
  const file = fileURLToPath(new URL('steadyStateRun.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', ...flags, '--import', 'tsx', file, String(tensors), String(steps)],
    {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    },
  );
  return JSON.parse(stdout) as Outcome;
}

describe('steps of the same tensors', { timeout: 120_000 }, () => {
  it('keep no memory: heap and process do not grow steadily over 10,000 of them', async () => {
    const { heapGrowth, residentGrowth } = await run(100, 10_000, []);
    // Had every step kept 64 bytes, both would have grown by 128,000 in every fifth; what V8 takes for itself it takes once.
    expect(Math.min(...heapGrowth)).toBeLessThan(100e3);
    expect(Math.min(...residentGrowth)).toBeLessThan(100e3);
  });

  it('leave the same few objects behind however many tensors there are: the report and the like', async () => {
    // The smallest object for every tensor would be 4,800 bytes.
    const { garbagePerStep } = await run(300, 0, ROOMY);
    expect(garbagePerStep).toBeGreaterThan(0);
    expect(garbagePerStep).toBeLessThan(2500);
  });
});
