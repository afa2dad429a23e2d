import { describe, expect, it } from 'vitest';
import { runFile } from './setup';

/** State and scratch of one optimizer of `leakRun.ts`: 200,000 coordinates of 9 floats. */
const MEGABYTES = 7.2;

/** Makes glibc give freed blocks of this size back to the system at once, so that what is resident is what is held. */
const RETURN_MEMORY = { MALLOC_MMAP_THRESHOLD_: '131072' };

describe('memory of the process', () => {
  it.each([
    ['dispose', 500],
    ['forget', 500],
    ['disposeAsync', 500],
    ['forgetAsync', 500],
    ['removeTensor', 500],
    ['exportImport', 200],
    ['errors', 200],
    ['lanes', 200],
    ['laneErrors', 200],
  ])('does not grow by repeated %s (%d rounds)', { timeout: 180_000 }, async (mode, rounds) => {
    const { code, signal, stdout, stderr } = await runFile(
      'leakRun.ts',
      [mode, String(rounds)],
      ['--expose-gc'],
      RETURN_MEMORY,
    );
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    const { growth, peak } = JSON.parse(stdout) as { growth: number; peak: number };
    expect(growth).toBeLessThan(40);
    // Forgotten optimizers go before they fill the memory: V8 knows how much each of them holds.
    expect(peak).toBeLessThan((500 * MEGABYTES) / 4);
  });
});
