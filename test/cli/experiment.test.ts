import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ExperimentDocument } from '../../lib/experiments/experiment/folder';
import { cli } from './run';

const TIMEOUT = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'experiment-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('experiment', { timeout: TIMEOUT }, () => {
  it('list names the experiments and their figures, as a table and as JSON', async () => {
    const [table, json] = await Promise.all([cli(['experiment', 'list']), cli(['experiment', 'list', '--json'])]);
    const all = JSON.parse(json.stdout) as { name: string; figure: string; claim: string }[];
    expect(all.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        ...['earlier-learned-optimizer', 'learning-rate', 'mnist', 'wall-clock', 'imagenet-scale', 'corpus', 'horizon'],
      ]),
    );
    for (const { name, figure, claim } of all) {
      expect(table.stdout).toMatch(new RegExp(`${name} .*${figure}`));
      expect(claim.length).toBeGreaterThan(30);
    }
  });

  it('runs one, prints its findings, and says where the report is', async () => {
    const out = join(folder, 'out');
    const args = ['experiment', 'mnist', '--quick', '--steps', '2', '--seeds', '1', '--no-chart', '--out', out];
    const first = await cli(args);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout).toMatch(/QUICK LOOK/);
    expect(first.stdout).toMatch(/(yes| no) {2}digits-64-relu: median final loss/);
    expect(first.stdout).toContain(join(out, 'index.html'));
    expect(first.stderr).toMatch(/mnist: [\d,]+ of [\d,]+, /);
    const document = JSON.parse(readFileSync(join(out, 'mnist', 'data.json'), 'utf8')) as ExperimentDocument;
    expect(document.settings[0][1]).toMatch(/^not MNIST \(no --data-dir\)/);
    expect(document.command).toBe('npx learned-optimizer experiment mnist --quick --seeds 1 --steps 2');
    const again = await cli([...args, '--json']);
    const { experiments } = JSON.parse(again.stdout) as { experiments: ExperimentDocument[] };
    expect(experiments[0].parts).toEqual(document.parts);
  });

  it.each([
    [['experiment'], /missing required argument 'names'/],
    [['experiment', 'figure-9'], /expected list, all or some of .*mnist.*, got figure-9/],
    [['experiment', 'all', 'mnist'], /expected all alone, got all mnist/],
    [['experiment', 'list', 'mnist'], /expected list alone/],
    [['experiment', 'mnist', '--seeds', '0'], /whole number of at least 1/],
    [['experiment', 'mnist', '--data-dir', 'nowhere'], /--data-dir: expected a folder .* nowhere does not exist/],
    [['experiment', 'mnist', '--rate', '1'], /unknown option '--rate'/],
    [['experiment', 'mnist', '--preset', 'best'], /--preset: expected .* got best/],
  ])('%j is a wrong command line', async (args, message) => {
    const { code, stdout, stderr } = await cli(args);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('--help explains every option, what is written, and gives examples', async () => {
    const { code, stdout } = await cli(['experiment', '--help']);
    expect(code).toBe(0);
    for (const option of [
      '--quick',
      '--out',
      '--data-dir',
      '--seeds',
      '--steps',
      '--preset',
      '--weights',
      '--no-chart',
      '--json',
    ]) {
      expect(stdout).toMatch(new RegExp(`${option}\\b.*\\S`));
    }
    expect(stdout).toMatch(/index\.html/);
    expect(stdout).toMatch(/Examples:\n {2}\$ learned-optimizer experiment/);
  });
});
