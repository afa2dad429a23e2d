import { describe, expect, it } from 'vitest';
import { info } from '../lib/index';
import { start } from './cli/run';
import { goldenFiles, goldenFolder } from './golden/files';
import { replay } from './golden/replay';
import type { Deviation } from './golden/replay';

const FLOAT32_TOLERANCE = 2e-4;
/** The recordings are float32 runs: this is their own rounding over twelve steps. */
const FLOAT64_TOLERANCE = 5e-6;

const files = goldenFiles();

function expectWithin(deviations: readonly Deviation[], tolerance: number): void {
  expect(deviations.length).toBeGreaterThan(1);
  for (const { quantity, worst } of deviations) expect(worst, quantity).toBeLessThanOrEqual(tolerance);
}

describe(`the paper's released code, ${files.length} golden files of ${process.env['GOLDEN_DIR'] ?? 'test/fixtures/golden'}`, () => {
  it('has golden files to compare with', () => {
    expect(files.length, goldenFolder).toBeGreaterThan(0);
  });

  it.each(files.map((golden) => [golden.file, golden] as const))(
    'is reproduced in double precision: %s',
    (_, golden) => {
      expectWithin(replay(golden, 'float64'), FLOAT64_TOLERANCE);
    },
  );

  describe.each(info().isaAvailable.map((isa) => [isa]))('on %s', (isa) => {
    const outcome = start('test/golden/child.ts', [], { LEARNED_OPTIMIZER_ISA: isa }).finished;

    it.each(files.map(({ file }) => [file]))('is reproduced in single precision: %s', async (file) => {
      const { code, stdout, stderr } = await outcome;
      expect(code, stderr).toBe(0);
      const output = JSON.parse(stdout) as {
        isa: string;
        results: { file: string; deviations: Deviation[] }[];
      };
      expect(output.isa).toBe(isa);
      const result = output.results.find((r) => r.file === file);
      expectWithin(result!.deviations, FLOAT32_TOLERANCE);
    });
  });
});
