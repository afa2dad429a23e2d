import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Interrupted } from '../../lib/cli/exit';
import { readL2lWeights } from '../../lib/experiments/l2l/weights';
import { runCompareL2l } from '../../scripts/l2l/compareCommand';
import { runTrainL2l } from '../../scripts/l2l/trainCommand';
import { hasTfjsNode } from '../tfjs/tfjsNode';

const folder = mkdtempSync(join(tmpdir(), 'l2l-commands-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** t10k files with 10,000 images of stripes whose distance is the class. */
function writeImages(): string {
  const [count, size] = [10_000, 28];
  const header = (...numbers: number[]): Buffer => {
    const bytes = Buffer.alloc(4 * numbers.length);
    numbers.forEach((number, i) => bytes.writeUInt32BE(number, 4 * i));
    return bytes;
  };
  const labels = Buffer.from(Array.from({ length: count }, (_, i) => i % 10));
  const pixels = Buffer.alloc(count * size * size);
  for (let i = 0; i < pixels.length; i++) if (i % size === labels[Math.floor(i / size / size)]) pixels[i] = 255;
  writeFileSync(join(folder, 't10k-labels-idx1-ubyte'), Buffer.concat([header(0x801, count), labels]));
  writeFileSync(join(folder, 't10k-images-idx3-ubyte'), Buffer.concat([header(0x803, count, size, size), pixels]));
  return folder;
}

type Run = typeof runTrainL2l;

async function run(
  command: Run,
  args: readonly string[],
  signal = new AbortController().signal,
): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', ''];
  const out = { write: (text: string) => (stdout += text) } as unknown as NodeJS.WriteStream;
  const err = { write: (text: string) => (stderr += text) } as unknown as NodeJS.WriteStream;
  const code = await command(args, { streams: { out, err }, signal });
  return { code, stdout, stderr };
}

describe('the commands for L2L', () => {
  it.each<[string, Run, readonly string[]]>([
    ['train-l2l.ts', runTrainL2l, ['--resume', '--trajectories', 'checkpoint.safetensors', 'Exit codes', 'Examples:']],
    ['compare-l2l.ts', runCompareL2l, ['--weights', 'l2l-relu-1000', 'Exit codes', 'Examples:']],
  ])('%s teaches with --help', async (_, command, words) => {
    const { code, stdout } = await run(command, ['--help']);
    expect(code).toBe(0);
    for (const word of words) expect(stdout).toContain(word);
  });

  it.each<[Run, readonly string[], RegExp]>([
    [runTrainL2l, ['--truncation', '30'], /--truncation: expected a divisor of the horizon of 100 steps, got 30/],
    [runTrainL2l, ['--seed', '5000'], /--seed: expected an integer from 1 to 2047, got 5000/],
    [runTrainL2l, ['--trajectories', 'many'], /whole number of at least 1/],
    [runTrainL2l, ['--out', join(folder, 'none'), '--resume'], /--resume: .*checkpoint\.safetensors does not exist/],
    [runCompareL2l, ['--tasks', 'l2l-tanh'], /--tasks: expected some of l2l-sigmoid-100, .*, got l2l-tanh/],
  ])('refuse a wrong command line: %o %j', async (command, args, message) => {
    const { code, stdout, stderr } = await run(command, [...args, '--json']);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(JSON.parse(stdout)).toMatchObject({ error: { exitCode: 2, message: expect.stringMatching(message) } });
  });

  it.skipIf(!hasTfjsNode)('meta-train, go on, and compare with Adam', { timeout: 60_000 }, async () => {
    const [dataDir, out] = [writeImages(), join(folder, 'run')];
    const args = ['--data-dir', dataDir, '--out', out, '--horizon', '2', '--truncation', '1'];
    const tiny = [...args, '--validate-every', '1', '--validation-starts', '1'];
    const first = await run(runTrainL2l, [...tiny, '--trajectories', '1']);
    expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('mlp 784-20-10 sigmoid, 8000 images')]);
    expect(first.stdout).toMatch(/best +loss \d\.\d{4} after 1 trajectories/);
    const again = await run(runTrainL2l, [...tiny, '--trajectories', '2']);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('add --resume')]);
    const controller = new AbortController();
    controller.abort(new Interrupted());
    const stopped = await run(runTrainL2l, [...tiny, '--trajectories', '2', '--resume'], controller.signal);
    expect([stopped.code, stopped.stderr]).toEqual([130, expect.stringContaining(`--resume --out ${out}`)]);
    const other = await run(runTrainL2l, [...tiny, '--trajectories', '2', '--resume', '--seed', '9']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('--resume: ')]);
    const resumed = await run(runTrainL2l, [...tiny, '--trajectories', '2', '--resume', '--json']);
    expect(resumed.code).toBe(0);
    const file = join(out, 'l2l.safetensors');
    expect(JSON.parse(resumed.stdout)).toMatchObject({
      file,
      trajectories: 2,
      records: [{}, {}],
      validations: [{}, {}],
    });
    expect(existsSync(file)).toBe(true);
    expect(JSON.parse(readL2lWeights(file).metadata.provenance)).toMatchObject({ trajectories: 2, metaUpdates: 4 });
    const compare = [
      '--data-dir',
      dataDir,
      '--weights',
      file,
      '--tasks',
      'l2l-sigmoid-100',
      '--steps',
      '2',
      '--seeds',
      '1',
    ];
    const table = await run(runCompareL2l, compare);
    expect([table.code, table.stderr]).toEqual([0, expect.stringMatching(/l2l-sigmoid-100: (\d+) of \1,/)]);
    for (const word of ['L2L', 'Adam, tuned', 'Adam, customary rate', '0.001']) expect(table.stdout).toContain(word);
    const json = await run(runCompareL2l, [...compare, '--json']);
    const { rows } = JSON.parse(json.stdout) as { rows: { runs: { initialLoss: number; finalLoss: number }[] }[] };
    // All begin at the same loss, and none ends where another does.
    expect(new Set(rows.map(({ runs }) => runs[0].initialLoss)).size).toBe(1);
    expect(new Set(rows.map(({ runs }) => runs[0].finalLoss)).size).toBe(3);
  });
});
