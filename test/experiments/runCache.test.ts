import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RunCache, type RunKey } from '../../lib/experiments/comparison/runCache';
import type { RunMetrics } from '../../lib/experiments/metrics';

const folder = mkdtempSync(join(tmpdir(), 'runs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const key: RunKey = { task: 't', fingerprint: 'f', optimizer: 'adam', rate: 1e-3, seed: 1, steps: 20 };
const run: RunMetrics = { outcome: 'trained', initialLoss: 2, finalLoss: 0.125, meanLogLoss: -1.5, lateChange: -0.25 };
const diverged: RunMetrics = {
  outcome: 'diverged',
  initialLoss: 2,
  finalLoss: Infinity,
  meanLogLoss: Infinity,
  lateChange: Infinity,
};

describe('RunCache', () => {
  it('gives back from its file what was put in, divergences included', () => {
    const path = join(folder, 'a.json');
    const cache = new RunCache(path);
    cache.add(key, run);
    cache.add({ ...key, seed: 2 }, diverged);
    cache.save();
    const again = new RunCache(path);
    expect(again.size).toBe(2);
    expect(again.get(key)).toEqual(run);
    expect(again.get({ ...key, seed: 2 })).toEqual(diverged);
  });

  it('tells runs apart by everything that determines them', () => {
    const cache = new RunCache();
    cache.add(key, run);
    const others = { task: 'u', fingerprint: 'g', optimizer: 'sgd', rate: 10 ** -2.5, seed: 3, steps: 21 };
    for (const [name, value] of Object.entries(others)) expect(cache.get({ ...key, [name]: value })).toBeUndefined();
  });

  it('gives the same numbers before and after the file has rounded them', () => {
    const path = join(folder, 'b.json');
    const cache = new RunCache(path);
    const kept = cache.add(key, { ...run, finalLoss: 1 / 3 });
    cache.save();
    expect(kept.finalLoss).toBe(0.33333);
    expect(new RunCache(path).get(key)).toEqual(kept);
  });

  it('writes one run per line, sorted, so that files can be compared', () => {
    const path = join(folder, 'c.json');
    const cache = new RunCache(path);
    for (const seed of [3, 1, 2]) cache.add({ ...key, seed }, run);
    cache.save();
    const lines = readFileSync(path, 'utf8').split('\n').slice(1, 4);
    expect(lines.map((line) => /adam 0.001 (\d)/.exec(line)![1])).toEqual(['1', '2', '3']);
  });

  it('reads a shipped file without copying it into its own', () => {
    const [shipped, own] = [join(folder, 'shipped.json'), join(folder, 'own.json')];
    const source = new RunCache(shipped);
    source.add(key, run);
    source.save();
    const cache = new RunCache(own, shipped);
    expect(cache.get(key)).toEqual(run);
    cache.add({ ...key, seed: 9 }, run);
    cache.save();
    expect(new RunCache(own).get(key)).toBeUndefined();
  });

  it('keeps what another process has written to its file meanwhile', () => {
    const path = join(folder, 'shared.json');
    const [first, second] = [new RunCache(path), new RunCache(path)];
    first.add(key, run);
    second.add({ ...key, seed: 2 }, diverged);
    first.save();
    second.save();
    expect(new RunCache(path).size).toBe(2);
  });

  it.each([
    ['{', /expected JSON of runs/],
    ['{"runs": {}}', /expected a document of format 'learned-optimizer-runs'/],
    ['{"format": "learned-optimizer-runs", "runs": {"k": ["fine", 1, 2, 3, 4]}}', /k: expected \[outcome/],
  ])('refuses %s', (text, message) => {
    const path = join(folder, 'bad.json');
    writeFileSync(path, text);
    expect(() => new RunCache(path)).toThrow(message);
  });
});
