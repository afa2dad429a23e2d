import { describe, expect, it } from 'vitest';
import { runFile } from './setup';

const CASES = 12_500;

describe('malformed arguments', () => {
  it(
    'end in errors, never in a crash, and leave the optimizers and the lanes as good as new',
    { timeout: 60_000 },
    async () => {
      const { code, signal, stdout, stderr } = await runFile('fuzzRun.ts', ['1', String(CASES)]);
      expect({ signal, code, stderr: stderr.split('\n').slice(-20) }).toMatchObject({ signal: null, code: 0 });
      const { outcomes, equal, compared } = JSON.parse(stdout) as {
        outcomes: Record<string, number>;
        equal: boolean;
        compared: number;
      };
      const { success = 0, promise = 0, ...rest } = outcomes;
      const thrown = Object.entries(rest).filter(([name]) => !/^(resolved|rejected)/.test(name));
      // Every case came to an end, and the malformed ones are the greater part by far.
      expect(success + promise + thrown.reduce((sum, [, n]) => sum + n, 0)).toBe(CASES);
      expect(outcomes.TypeError).toBeGreaterThan(CASES / 4);
      expect(outcomes.RangeError).toBeGreaterThan(CASES / 50);
      expect(success + promise).toBeGreaterThan(CASES / 50);
      // Nothing but the three kinds of the contract and what the caller's own accessors threw.
      expect(
        thrown
          .map(([name]) => name)
          .filter((name) => !/^(TypeError|RangeError|Error|SyntaxError|not an Error)$/.test(name)),
      ).toEqual([]);
      expect(equal).toBe(true);
      expect(compared).toBeGreaterThan(20);
    },
  );
});
