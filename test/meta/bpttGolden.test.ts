import { describe, expect, it } from 'vitest';
import { info } from '../../lib/index';
import { start } from '../cli/run';
import { estimateErrors, metaGradientFiles } from './goldenEstimate';
import type { EstimateErrors } from './goldenEstimate';

/** Bounds of errors, relative to the norm of what they are errors of. */
interface Bounds {
  readonly whole: number;
  /** Of a single meta-parameter, which has a scale of its own. */
  readonly part: number;
  /** Added to a part's bound, relative to the whole gradient: the rounding of larger quantities that cancel in it. */
  readonly floor: number;
}

/** The recordings are in single precision: this is their own rounding. */
const FLOAT64: Bounds = { whole: 2e-6, part: 2e-5, floor: 2e-9 };
/** Largest errors measured, on avx512, avx2 and baseline: 3.9e-7 of the whole, 1.9e-5 of a part beside 6e-10. */
const FLOAT32: Bounds = { whole: 2e-6, part: 6e-5, floor: 2e-9 };

function expectWithin({ loss, whole, parts }: EstimateErrors, bounds: Bounds): void {
  expect(loss).toBeLessThan(2e-6);
  expect(parts.length).toBeGreaterThan(10);
  const total = Math.hypot(...parts.map((part) => part.norm));
  for (const { name, difference, norm } of parts) {
    expect(difference, name).toBeLessThan(bounds.part * norm + bounds.floor * total);
  }
  expect(whole).toBeLessThan(bounds.whole);
}

describe('truncated back-propagation', () => {
  it.each(
    metaGradientFiles.flatMap(({ file, data }) => [
      [file, 'products with Hessians, no checkpoints', data, { products: true }] as const,
      [file, 'differences, a checkpoint every 3 steps', data, { products: false, checkpointInterval: 3 }] as const,
    ]),
  )('gives the meta-gradient of the released code: %s, %s', (_, __, data, settings) => {
    const errors = estimateErrors(data, { precision: 'float64', ...settings });
    expect(errors).toMatchObject({ problems: 1, steps: data.params.length });
    expectWithin(errors, FLOAT64);
  });

  describe.each(info().isaAvailable.map((isa) => [isa]))('in single precision on %s', (isa) => {
    const outcome = start('test/meta/goldenEstimateChild.ts', [], { LEARNED_OPTIMIZER_ISA: isa }).finished;

    it.each(metaGradientFiles.map(({ file, data }) => [file, data] as const))(
      'gives the meta-gradient of the released code: %s',
      async (file, data) => {
        const { code, stdout, stderr } = await outcome;
        expect(code, stderr).toBe(0);
        const output = JSON.parse(stdout) as { isa: string; results: { file: string; errors: EstimateErrors }[] };
        expect(output.isa).toBe(isa);
        const { errors } = output.results.find((r) => r.file === file)!;
        expect(errors).toMatchObject({ problems: 16, steps: 16 * data.params.length });
        expectWithin(errors, FLOAT32);
      },
    );
  });
});
