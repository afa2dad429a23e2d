import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { features } from '../../lib/datasets/images';
import { loadMnist, MIRRORS_VARIABLE } from '../../lib/datasets/mnist';
import { idxBytes, imagePair } from './idxFiles';
import { closedPort, sendRange, serve, type TestServer } from './server';

const train = imagePair(20);
const test = imagePair(10);
const files: Record<string, Buffer> = {
  'train-images-idx3-ubyte.gz': train.images,
  'train-labels-idx1-ubyte.gz': train.labels,
  't10k-images-idx3-ubyte.gz': test.images,
  't10k-labels-idx1-ubyte.gz': test.labels,
};
const sha256 = Object.fromEntries(
  Object.entries(files).map(([name, content]) => [name, createHash('sha256').update(content).digest('hex')]),
);

let dir: string;
let server: TestServer | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mnist-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.close();
  server = undefined;
  await rm(dir, { recursive: true });
});

const put = (name: string, content: Buffer): Promise<void> => writeFile(join(dir, name), content);
const load = (extra: object = {}): ReturnType<typeof loadMnist> =>
  loadMnist({ dataset: 'mnist', dataDir: dir, retryDelay: 1, sha256, ...extra });
const serveFiles = async (names: string[] = Object.keys(files)): Promise<TestServer> => {
  server = await serve((request, response) => {
    const name = (request.url ?? '').split('/').at(-1)!;
    if (names.includes(name)) sendRange(request, response, files[name]);
    else response.writeHead(404).end();
  });
  return server;
};

describe('files in the folder', () => {
  it('are read with the usual split', async () => {
    for (const [name, content] of Object.entries(files)) await put(name, content);
    const dataset = await load();
    expect(dataset.train).toMatchObject({ count: 20, height: 4, width: 3, maximum: 255 });
    expect(dataset.test.count).toBe(10);
    expect(dataset.test.labels).toEqual(Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    expect(features(dataset.train, [5])).toEqual(new Float32Array(12).fill(5 / 255));
    expect(dataset.provenance).toContain('the usual split');
  });

  it('may be uncompressed', async () => {
    for (const [name, content] of Object.entries(files)) await put(name.replace('.gz', ''), gunzipSync(content));
    expect((await load()).train.count).toBe(20);
  });

  it.each([
    ['t10k', 8, 2],
    ['train', 16, 4],
  ])('of %s alone are split, and the data set says so', async (part, trainCount, testCount) => {
    for (const [name, content] of Object.entries(files)) if (name.startsWith(part)) await put(name, content);
    const dataset = await load();
    expect([dataset.train.count, dataset.test.count]).toEqual([trainCount, testCount]);
    expect(dataset.provenance).toContain(`only the ${part} files are there`);
    expect(features(dataset.test, [0])).toEqual(new Float32Array(12).fill(trainCount / 255));
  });

  it('must fit each other', async () => {
    await put('t10k-images-idx3-ubyte.gz', test.images);
    await put('t10k-labels-idx1-ubyte.gz', train.labels);
    await expect(load()).rejects.toThrow(/shape \[20\], expected unsigned bytes \[10\], one label for each image/);
    await put('t10k-labels-idx1-ubyte.gz', gzipSync(idxBytes([10], new Uint8Array(10).fill(11))));
    await expect(load()).rejects.toThrow(/label 11 at index 0, expected 0–9/);
    await put('t10k-images-idx3-ubyte.gz', test.labels);
    await expect(load()).rejects.toThrow(
      /Uint8Array of shape \[10\], expected unsigned bytes \[count, height, width\]/,
    );
  });

  it('must be of the data set asked for', async () => {
    await expect(load({ dataset: 'emnist' })).rejects.toThrow(/expected mnist or fashion-mnist, got "emnist"/);
  });
});

describe('download', () => {
  it('fetches all four files where the folder is empty, and only then', async () => {
    const { url, requests } = await serveFiles();
    const seen = new Set<string>();
    const dataset = await load({ mirrors: [url], onProgress: (p: { file: string }) => seen.add(p.file) });
    expect(dataset.train.count).toBe(20);
    expect(await readdir(dir)).toEqual(Object.keys(files).sort());
    expect([...seen].sort()).toEqual(Object.keys(files).sort());
    await load({ mirrors: [url] });
    expect(requests).toHaveLength(4);
  });

  it('takes mirrors from the environment, with the name of the data set put in', async () => {
    const { url, requests } = await serveFiles();
    vi.stubEnv(MIRRORS_VARIABLE, `${await closedPort()}, ${url}data/{dataset}`);
    await load({ dataset: 'fashion-mnist' });
    expect(requests[0].path).toBe('/data/fashion-mnist/train-labels-idx1-ubyte.gz');
  });

  it('completes what an interrupted run left', async () => {
    const partial = await serveFiles([
      'train-labels-idx1-ubyte.gz',
      't10k-labels-idx1-ubyte.gz',
      'train-images-idx3-ubyte.gz',
    ]);
    await expect(load({ mirrors: [partial.url] })).rejects.toThrow(/t10k-images-idx3-ubyte.gz could not be downloaded/);
    expect(await readdir(dir)).toHaveLength(3);
    await partial.close();
    const { url, requests } = await serveFiles();
    expect((await load({ mirrors: [url] })).test.count).toBe(10);
    expect(requests.map((r) => r.path)).toEqual(['/t10k-images-idx3-ubyte.gz']);
  });

  it('says offline what to do', async () => {
    const error = (await load({ mirrors: [await closedPort()] }).catch((e: unknown) => e)) as Error;
    expect(error.message).toContain(`MNIST is not complete in ${dir}`);
    expect(error.message).toContain('is this machine offline?');
    expect(error.message).toContain('put the files');
    expect(error.message).toContain(MIRRORS_VARIABLE);
  });

  it('refuses mirrors that are no http URLs, naming where they came from', async () => {
    await expect(load({ mirrors: ['ftp://host/'] })).rejects.toThrow(
      /^mirrors: expected http\(s\) URLs of folders, got "ftp:/,
    );
    vi.stubEnv(MIRRORS_VARIABLE, 'nonsense');
    await expect(load()).rejects.toThrow(new RegExp(`^${MIRRORS_VARIABLE}: expected`));
  });
});
