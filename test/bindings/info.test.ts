import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { nativeInfo } from '../../bindings/index';
import type { NativeInfo } from '../../bindings/index';
import { runScript } from './setup';

const info = nativeInfo();
const FASTEST_FIRST = ['avx512', 'avx2', 'neon', 'baseline'];

/** What a process says that is told to use an instruction set: its `nativeInfo`, and one trained parameter. */
const script = `
  import { nativeInfo } from './bindings/index.ts';
  import { makeFixture } from './test/bindings/setup.ts';
  const fixture = makeFixture([100]);
  for (let i = 1; i <= 10; ++i) fixture.native.step(fixture.request(i));
  process.stdout.write(JSON.stringify({ info: nativeInfo(), parameters: Array.from(fixture.parameters[0]) }));
`;

async function report(isa?: string): Promise<{ info: NativeInfo; parameters: number[] }> {
  const { code, stdout, stderr } = await runScript(script, [], { LEARNED_OPTIMIZER_ISA: isa });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as { info: NativeInfo; parameters: number[] };
}

describe('nativeInfo', () => {
  it('names the version of the package', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(info.version).toBe(version);
  });

  it('lists the instruction sets from the fastest to the baseline', () => {
    expect(info.isaAvailable.at(-1)).toBe('baseline');
    const ranks = info.isaAvailable.map((isa) => FASTEST_FIRST.indexOf(isa));
    expect(ranks).toEqual([...new Set(ranks)].sort((a, b) => a - b));
    expect(ranks).not.toContain(-1);
  });

  it('counts the threads that the process may use', () => {
    expect(Number.isInteger(info.threads)).toBe(true);
    expect(info.threads).toBeGreaterThanOrEqual(1);
    expect(info.threads).toBeLessThanOrEqual(availableParallelism());
  });

  it('names the compiler', () => {
    expect(info.build).toMatch(/^(gcc|clang|msvc)/);
  });

  it('is a new object each time', () => {
    expect(nativeInfo()).not.toBe(nativeInfo());
    expect(nativeInfo()).toEqual(nativeInfo());
  });
});

describe('LEARNED_OPTIMIZER_ISA', () => {
  it.each([undefined, ''])('unset or empty (%s) means the fastest', async (isa) => {
    expect((await report(isa)).info.isa).toBe(info.isaAvailable[0]);
  });

  it('forces each instruction set that is available, and all agree', async () => {
    const reports = await Promise.all(info.isaAvailable.map((isa) => report(isa)));
    expect(reports.map((r) => r.info.isa)).toEqual(info.isaAvailable);
    for (const { parameters } of reports) {
      // Different orders of summation: close, and not the same bits.
      parameters.forEach((p, i) => expect(p).toBeCloseTo(reports[0].parameters[i], 4));
    }
  });

  it.each(['sse9', 'AVX2', 'avx2 '])('naming "%s" is an error that lists what there is', async (isa) => {
    const { code, signal, stdout, stderr } = await runScript(script, [], { LEARNED_OPTIMIZER_ISA: isa });
    expect({ code, signal, stdout }).toEqual({ code: 1, signal: null, stdout: '' });
    const names = info.isaAvailable.join(', ');
    expect(stderr).toContain(
      `Error: LEARNED_OPTIMIZER_ISA: instruction set '${isa}' is not available; this machine and build have: ${names}`,
    );
  });
});
