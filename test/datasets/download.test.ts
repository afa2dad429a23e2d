import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DownloadError, downloadFile, type DownloadProgress } from '../../lib/datasets/download';
import { closedPort, CutConnection, sendRange, serve, type TestServer } from './server';

const content = randomBytes(300_000);
const sha256 = createHash('sha256').update(content).digest('hex');

let dir: string;
let destination: string;
const servers: TestServer[] = [];

const start = async (handler: Parameters<typeof serve>[0]): Promise<TestServer> => {
  const server = await serve(handler);
  servers.push(server);
  return server;
};
const download = (urls: string[], extra: Partial<Parameters<typeof downloadFile>[0]> = {}): Promise<void> =>
  downloadFile({ urls, destination, sha256, retryDelay: 1, ...extra });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'download-'));
  destination = join(dir, 'sub', 'file.gz');
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await rm(dir, { recursive: true });
});

async function expectComplete(): Promise<void> {
  expect((await readFile(destination)).equals(content)).toBe(true);
  expect(await readdir(join(dir, 'sub'))).toEqual(['file.gz']);
}

describe('downloadFile', () => {
  it('puts the checked file in place and reports progress up to its size', async () => {
    const server = await start((request, response) => sendRange(request, response, content));
    const seen: DownloadProgress[] = [];
    await download([`${server.url}file.gz`], { onProgress: (p) => seen.push(p) });
    await expectComplete();
    expect(seen[0]).toMatchObject({ file: 'file.gz', received: 0, total: content.length });
    expect(seen.at(-1)!.received).toBe(content.length);
  });

  it('continues where a cut connection stopped', async () => {
    const cut = new CutConnection(content, 100_000);
    const server = await start((request, response, count) =>
      count === 1 ? cut.send(response) : sendRange(request, response, content),
    );
    await download([`${server.url}file.gz`], { onProgress: cut.onProgress });
    await expectComplete();
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1].range).toBe('bytes=100000-');
  });

  it('continues the part file of an earlier run, also at another mirror', async () => {
    const cut = new CutConnection(content, 50_000);
    const cutting = await start((_, response) => cut.send(response));
    await expect(download([cutting.url], { attempts: 1, onProgress: cut.onProgress })).rejects.toThrow(
      /connection cut/,
    );
    expect(await readdir(join(dir, 'sub'))).toEqual(['file.gz.part']);
    const whole = await start((request, response) => sendRange(request, response, content));
    await download([whole.url]);
    await expectComplete();
    expect(whole.requests.map((r) => r.range)).toEqual(['bytes=50000-']);
  });

  it('starts anew where the server knows no ranges', async () => {
    const cut = new CutConnection(content, 100_000);
    const server = await start((_, response, count) =>
      count === 1 ? cut.send(response) : response.writeHead(200, { 'content-length': content.length }).end(content),
    );
    await download([server.url], { onProgress: cut.onProgress });
    await expectComplete();
    expect(server.requests[1].range).toBe('bytes=100000-');
  });

  it('accepts a complete part file that was not yet renamed', async () => {
    await download([await start((q, r) => sendRange(q, r, content)).then((s) => s.url)]);
    await rm(destination);
    await writeFile(`${destination}.part`, content);
    const server = await start((request, response) => sendRange(request, response, content));
    await download([server.url]);
    await expectComplete();
    expect(server.requests).toHaveLength(1);
  });

  it('fetches the whole file again where the part file holds wrong bytes', async () => {
    await download([await start((q, r) => sendRange(q, r, content)).then((s) => s.url)]);
    await rm(destination);
    await writeFile(`${destination}.part`, randomBytes(1000));
    const server = await start((request, response) => sendRange(request, response, content));
    await download([server.url]);
    await expectComplete();
    expect(server.requests.map((r) => r.range)).toEqual(['bytes=1000-', undefined]);
  });

  it('goes to the next mirror after a wrong checksum and keeps nothing of the wrong file', async () => {
    const wrong = await start((_, response) => response.end(randomBytes(1000)));
    const right = await start((request, response) => sendRange(request, response, content));
    await download([wrong.url, right.url]);
    await expectComplete();
    expect(wrong.requests).toHaveLength(1);
    expect(right.requests[0].range).toBeUndefined();
  });

  it('refuses a wrong file that no mirror corrects, naming both checksums', async () => {
    const wrong = await start((_, response) => response.end('something else'));
    const actual = createHash('sha256').update('something else').digest('hex');
    await expect(download([wrong.url])).rejects.toThrow(`wrong SHA-256 ${actual}, expected ${sha256}`);
    expect(await readdir(join(dir, 'sub'))).toEqual([]);
  });

  it('goes to the next mirror after 404 without trying again', async () => {
    const missing = await start((_, response) => response.writeHead(404).end());
    const right = await start((request, response) => sendRange(request, response, content));
    await download([missing.url, right.url]);
    await expectComplete();
    expect(missing.requests).toHaveLength(1);
  });

  it('tries again after 503', async () => {
    const server = await start((request, response, count) =>
      count < 3 ? void response.writeHead(503).end() : sendRange(request, response, content),
    );
    await download([server.url]);
    await expectComplete();
    expect(server.requests).toHaveLength(3);
  });

  it('gives up after the tries and lists every mirror with its reason', async () => {
    const missing = await start((_, response) => response.writeHead(404).end());
    const failing = await start((_, response) => response.writeHead(500).end());
    const error = await download([missing.url, failing.url], { attempts: 2 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DownloadError);
    expect((error as DownloadError).message).toContain(`${missing.url}: HTTP 404`);
    expect((error as DownloadError).message).toContain(`${failing.url}: HTTP 500`);
    expect((error as DownloadError).offline).toBe(false);
    expect(failing.requests).toHaveLength(2);
  });

  it('says so when no server can be reached', async () => {
    const url = await closedPort();
    const error = await download([url]).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DownloadError);
    expect((error as DownloadError).offline).toBe(true);
    expect((error as DownloadError).message).toMatch(/is this machine offline\?[^]*no connection \(ECONNREFUSED\)/);
  });

  it('counts a silent connection as cut', async () => {
    const server = await start((request, response, count) => {
      if (count > 1) return sendRange(request, response, content);
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
    });
    await download([server.url], { stallTimeout: 2000 });
    await expectComplete();
    expect(server.requests[1].range).toBe('bytes=1000-');
  });

  it('refuses a file that the server re-encodes', async () => {
    const server = await start((_, response) => response.writeHead(200, { 'content-encoding': 'br' }).end(content));
    await expect(download([server.url])).rejects.toThrow(/re-encoded \(content-encoding: br\)/);
  });

  it('stops at once when aborted and keeps the part file', async () => {
    const controller = new AbortController();
    const server = await start((_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 70_000));
    });
    const running = download([server.url, server.url], {
      signal: controller.signal,
      onProgress: ({ received }) => received === 70_000 && controller.abort(new Error('stopped by the user')),
    });
    await expect(running).rejects.toThrow('stopped by the user');
    expect(server.requests).toHaveLength(1);
    expect((await readFile(`${destination}.part`)).length).toBe(70_000);
  });
});
