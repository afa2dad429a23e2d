import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { overheadChart, trainingTable } from '../../bench/training/report';
import { missing, readResults, withRow, writeResults } from '../../bench/training/results';
import type { Results } from '../../bench/training/results';
import { measureAll } from '../../bench/training/run';
import type { Plan, Tools } from '../../bench/training/run';
import type { Job } from '../../bench/training/worker';
import { row } from './rows';

const dir = mkdtempSync(join(tmpdir(), 'bench-training-'));
afterAll(() => rmSync(dir, { recursive: true }));

const MACHINE = { cpu: 'one', cores: 2 };
const EMPTY: Results = { machine: MACHINE, backend: 'b', rows: [], skipped: [] };
const PLAN: Plan = {
  networks: ['tiny-resnetv2'],
  batchSizes: [1, 4, 16],
  size: 32,
  steps: 5,
  warmUp: 1,
  optimizers: ['learned'],
  force: false,
};

/** Jobs that give a row for each optimizer at once. */
function stub(fail: (job: Job) => Error | undefined = () => undefined) {
  const jobs: Job[] = [];
  const saved: Results[] = [];
  const controller = new AbortController();
  const tools: Tools = {
    signal: controller.signal,
    say: () => {},
    save: (results) => saved.push(results),
    async runJob(job, onMessage) {
      jobs.push(job);
      const error = fail(job);
      if (error) throw error;
      const { network, size, batchSize, steps } = job;
      for (const optimizer of job.optimizers) {
        onMessage({ kind: 'row', row: row({ network, size, batchSize, optimizer, rounds: steps }) });
      }
    },
  };
  return { tools, jobs, saved, controller };
}

describe('the benchmark of training steps', () => {
  it('goes through the batch sizes and saves after every row', async () => {
    const { tools, jobs, saved } = stub();
    const { results, failed } = await measureAll(PLAN, EMPTY, tools);
    expect(jobs.map(({ batchSize }) => batchSize)).toEqual([1, 4, 16]);
    expect(saved.map(({ rows }) => rows.length)).toEqual([1, 2, 3]);
    expect([results.rows.length, failed]).toEqual([3, []]);
  });

  it('does not measure a row again that is there with enough rounds', async () => {
    const { tools, jobs } = stub();
    const known = { ...EMPTY, rows: [row({ batchSize: 1, rounds: 5 }), row({ batchSize: 4, rounds: 4 })] };
    const { results } = await measureAll(PLAN, known, tools);
    expect(jobs.map(({ batchSize }) => batchSize)).toEqual([4, 16]);
    expect(results.rows.map(({ batchSize, rounds }) => [batchSize, rounds])).toEqual([
      [1, 5],
      [4, 5],
      [16, 5],
    ]);
  });

  it('measures only the optimizers that are missing', async () => {
    const { tools, jobs } = stub();
    const plan = { ...PLAN, batchSizes: [4], optimizers: ['learned', 'learned+zeroCopy'] };
    await measureAll(plan, { ...EMPTY, rows: [row()] }, tools);
    expect(jobs.map(({ optimizers }) => optimizers)).toEqual([['learned+zeroCopy']]);
  });

  it('measures everything again with --force', async () => {
    const { tools, jobs } = stub();
    await measureAll({ ...PLAN, batchSizes: [4], force: true }, { ...EMPTY, rows: [row()] }, tools);
    expect(jobs).toHaveLength(1);
  });

  it('leaves larger batches of a network out once one fails, says so, and goes on with the next network', async () => {
    const { tools, jobs, saved } = stub(({ network, batchSize }) =>
      network === 'tiny-resnetv2' && batchSize === 4 ? new Error('no memory') : undefined,
    );
    const { failed } = await measureAll({ ...PLAN, networks: ['tiny-resnetv2', 'resnet50v2'] }, EMPTY, tools);
    expect(jobs.map(({ network, batchSize }) => `${network} ${batchSize}`)).toEqual([
      'tiny-resnetv2 1',
      'tiny-resnetv2 4',
      'resnet50v2 1',
      'resnet50v2 4',
      'resnet50v2 16',
    ]);
    expect(failed).toEqual(['tiny-resnetv2, 32 pixels, batch 4 and larger batches: no memory']);
    expect(saved.at(-1)!.skipped).toEqual(failed);
  });

  it('stops when interrupted', async () => {
    const { tools, controller } = stub(() => {
      controller.abort(new Error('interrupted'));
      return new Error('killed');
    });
    await expect(measureAll(PLAN, EMPTY, tools)).rejects.toThrow('interrupted');
  });
});

describe('results', () => {
  it('come back from their file as they were written', () => {
    const path = join(dir, 'results.json');
    const results = { ...EMPTY, rows: [row()] };
    writeResults(path, results);
    expect(readResults(path, MACHINE, 'b')).toEqual(results);
  });

  it('of another machine are refused, naming both', () => {
    const path = join(dir, 'other.json');
    writeResults(path, EMPTY);
    expect(() => readResults(path, { cpu: 'two' }, 'b')).toThrow(
      /other\.json: expected rows of this machine, .*"two".*, got .*"one".*--json/,
    );
  });

  it('that are no JSON are refused, naming the file', () => {
    const path = join(dir, 'damaged.json');
    writeFileSync(path, '{');
    expect(() => readResults(path, MACHINE, 'b')).toThrow(/damaged\.json: expected results as JSON, got /);
  });

  it('have one row for a setting and an optimizer, the newest', () => {
    const rows = withRow([row({ ratio: 1 }), row({ batchSize: 1 })], row({ ratio: 2 }));
    expect(rows.map(({ batchSize, ratio }) => [batchSize, ratio])).toEqual([
      [1, 1.1],
      [4, 2],
    ]);
  });

  it('count a row as missing for another size of images', () => {
    expect(missing([row()], { ...row(), size: 75 }, ['learned'], 5)).toEqual(['learned']);
  });
});

describe('the report', () => {
  const rows = [row({ batchSize: 1, ratio: 1.5 }), row({ batchSize: 16, ratio: 1.05 })];

  it('draws a line for each network against the batch size, beside the aim', () => {
    const { series, xTicks } = overheadChart([...rows, row({ network: 'inceptionv3', ratio: 1.2 })]);
    expect(series.map(({ name }) => name)).toEqual(['tiny-resnetv2', 'inceptionv3', 'aim: 1.10', 'Adam']);
    expect(series[0].points).toEqual([
      { x: 1, y: 1.5 },
      { x: 16, y: 1.05 },
    ]);
    expect(xTicks).toEqual([1, 4, 16]);
  });

  it('has ratios and times in a table', () => {
    expect(trainingTable(rows)).toMatch(/tiny-resnetv2.*learned.*32.*16.*11.*10.*1\.050×/);
  });
});
