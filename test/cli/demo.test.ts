import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imagePair } from '../datasets/idxFiles';
import { closedPort } from '../datasets/server';
import { cli, type Outcome } from './run';

interface Results {
  backend: string;
  steps: number;
  command: string;
  runs: { optimizer: string; finalLoss: number; testAccuracy: number; losses: { step: number; loss: number }[] }[];
}

const NAMES = ['learned optimizer', 'Adam', 'RMSProp', 'SGD with momentum'];

describe('demo', { timeout: 180_000 }, () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'demo-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  describe('--quick', () => {
    let outcome: Outcome;
    let out: string;
    const read = (name: string): Promise<Buffer> => readFile(join(out, name));
    beforeAll(async () => {
      out = join(dir, 'quick');
      outcome = await cli(['demo', '--quick', '--out', out]);
    }, 180_000);

    it('says which backend it uses and prints a table, progress apart', () => {
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(outcome.stdout).toMatch(/^Backend: .*(tensorflow|wasm|cpu)/im);
      for (const name of NAMES) {
        expect(outcome.stdout).toMatch(new RegExp(`${name} .*\\d %.*\\d s`));
        expect(outcome.stderr).toMatch(new RegExp(`${name}: 150 of 150, training loss \\d`));
      }
      expect(outcome.stdout).toContain(join(out, 'report.html'));
    });

    it('learns: every optimizer lowers the loss, from the same start', async () => {
      const { runs } = JSON.parse((await read('results.json')).toString()) as Results;
      expect(runs.map((run) => run.optimizer)).toEqual(NAMES);
      for (const { losses, finalLoss, testAccuracy } of runs) {
        expect(losses[0].loss).toBeCloseTo(runs[0].losses[0].loss, 4);
        expect(losses.at(-1)).toEqual({ step: 150, loss: finalLoss });
        expect(finalLoss).toBeLessThan(losses[0].loss);
        expect(testAccuracy).toBeGreaterThan(0.3);
      }
      expect(runs[0].finalLoss).toBeLessThan(0.5);
      expect(runs[0].testAccuracy).toBeGreaterThan(0.85);
    });

    it('draws SVG and PNG with every optimizer in the legend', async () => {
      const svg = (await read('learning-curves.svg')).toString();
      for (const text of [...NAMES, 'Training step', 'Training loss (log scale)'])
        expect(svg).toContain(`>${text}</text>`);
      expect((await read('learning-curves.png')).subarray(1, 4).toString()).toBe('PNG');
    });

    it('writes a report that stands alone and says how to repeat the run', async () => {
      const html = (await read('report.html')).toString();
      const { command } = JSON.parse((await read('results.json')).toString()) as Results;
      expect(html).toContain('<svg');
      expect(html).toContain('CC BY 4.0');
      expect(html).toContain(command);
      expect(command).toContain('--steps 150 --seed 0');
      expect(html).not.toMatch(/(src|href)="http/);
      for (const name of NAMES) expect(html).toContain(`<th scope="row">${name}</th>`);
    });
  });

  it('trains on MNIST files of a folder, on the backend asked for, with all numbers as JSON', async () => {
    const data = join(dir, "it's data");
    const { images, labels } = imagePair(200);
    await mkdir(data);
    await writeFile(join(data, 't10k-images-idx3-ubyte.gz'), images);
    await writeFile(join(data, 't10k-labels-idx1-ubyte.gz'), labels);
    const out = join(dir, 'mnist');
    const args = [
      '--dataset',
      'mnist',
      '--data-dir',
      data,
      '--steps',
      '6',
      '--backend',
      'cpu',
      '--no-chart',
      '--json',
      '--out',
      out,
    ];
    const { code, stdout, stderr } = await cli(['demo', ...args]);
    expect(code, stderr).toBe(0);
    const results = JSON.parse(stdout) as Results & { provenance: string; files: { svg?: string } };
    expect(results.backend).toBe('cpu');
    expect(results.runs[0].losses.map((p) => p.step)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(results.provenance).toContain('only the t10k files are there');
    expect(results.command).toContain(`--data-dir '${data.replace("'", `'\\''`)}'`);
    expect(results.files.svg).toBeUndefined();
  });

  it('says what to do where data are missing and cannot be downloaded, with exit code 1', async () => {
    const empty = join(dir, 'empty');
    const args = ['--dataset', 'fashion-mnist', '--data-dir', empty, '--mirror', await closedPort(), '--no-chart'];
    const { code, stdout, stderr } = await cli(['demo', ...args]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`Fashion-MNIST is not complete in ${empty}`);
    expect(stderr).toContain('LEARNED_OPTIMIZER_MIRRORS');
  });
});
