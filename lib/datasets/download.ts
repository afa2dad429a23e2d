import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sha256OfFile } from '../sha256';

/** How far a download is. */
export interface DownloadProgress {
  /** Name of the file being fetched. */
  readonly file: string;
  readonly url: string;
  /** Bytes on disk, including those of an earlier, interrupted run. */
  readonly received: number;
  /** Size of the file in bytes, where the server says it. */
  readonly total: number | undefined;
}

export interface DownloadOptions {
  /** Where the file can be had, in the order to try. */
  readonly urls: readonly string[];
  /** Path of the finished file; until then the bytes are in `<destination>.part`. */
  readonly destination: string;
  /** Expected SHA-256, lower-case hexadecimal. */
  readonly sha256: string;
  /** Tries per URL for failures that may pass (cut connections, 5xx, 429). Default 3. */
  readonly attempts?: number;
  /** Wait before the second try, in milliseconds, doubled for each further one. Default 500. */
  readonly retryDelay?: number;
  /** Milliseconds without a byte after which a connection counts as cut. Default 30,000. */
  readonly stallTimeout?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** No URL gave the file. The message lists what went wrong at each of them. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
  constructor(
    readonly file: string,
    readonly failures: readonly { readonly url: string; readonly reason: string }[],
    /** No server could be reached at all. */
    readonly offline: boolean,
  ) {
    const reasons = failures.map(({ url, reason }) => `  ${url}: ${reason}`).join('\n');
    super(
      `${file} could not be downloaded${offline ? ' (no server could be reached; is this machine offline?)' : ''}:\n${reasons}`,
    );
  }
}

/** A failure at one URL: whether trying it again may help, and whether the server was reached. */
class AttemptError extends Error {
  constructor(
    message: string,
    readonly retry: boolean,
    readonly reached: boolean,
  ) {
    super(message);
  }
}

const CONNECTION_ERRORS = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
]);

/** Errors of `fetch` hide the system's error code in a chain of causes. */
function errorCode(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof AggregateError && e.errors.length > 0) return errorCode(e.errors[0]);
    const code = (e as NodeJS.ErrnoException).code;
    if (typeof code === 'string') return code;
  }
  return undefined;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function request(url: string, offset: number, signal: AbortSignal): Promise<Response> {
  // Without `identity`, servers that label .gz files as an encoding would have them unpacked on the way.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (offset > 0) headers.range = `bytes=${offset}-`;
  try {
    return await fetch(url, { headers, signal, redirect: 'follow' });
  } catch (error) {
    signal.throwIfAborted();
    const code = errorCode(error);
    const unreachable = code !== undefined && CONNECTION_ERRORS.has(code);
    throw new AttemptError(
      unreachable ? `no connection (${code})` : `connection failed (${code ?? (error as Error).message})`,
      !unreachable || code === 'EAI_AGAIN' || code === 'ETIMEDOUT',
      !unreachable,
    );
  }
}

function checkStatus(response: Response, offset: number): void {
  const { status } = response;
  if (status === 200 || status === 206 || (status === 416 && offset > 0)) {
    const encoding = response.headers.get('content-encoding');
    if (encoding !== null && encoding !== 'identity') {
      throw new AttemptError(`server sent the file re-encoded (content-encoding: ${encoding})`, false, true);
    }
    return;
  }
  const transient = status === 408 || status === 429 || status >= 500;
  throw new AttemptError(`HTTP ${status} ${response.statusText}`.trim(), transient, true);
}

/** First byte of a 206 answer, and the file's size, from `Content-Range: bytes 100-199/200`. */
function parseContentRange(value: string | null): { start: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(value ?? '');
  return match ? { start: Number(match[1]), total: match[2] === '*' ? undefined : Number(match[2]) } : undefined;
}

/** Writes the body behind the first `start` bytes of the file at `path`, which is cut there. */
async function writeBody(
  response: Response,
  path: string,
  start: number,
  stallTimeout: number,
  abortRequest: () => void,
  onBytes: (received: number) => void,
): Promise<number> {
  const file = await open(path, start > 0 ? 'r+' : 'w');
  let received = start;
  const stalled = setTimeout(abortRequest, stallTimeout);
  try {
    await file.truncate(start);
    if (response.body) {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        stalled.refresh();
        await file.write(chunk, 0, chunk.length, received);
        received += chunk.length;
        onBytes(received);
      }
    }
  } finally {
    clearTimeout(stalled);
    await file.close();
  }
  return received;
}

/** One request: continues the part file where it ends if the server can, and starts it anew if not. */
async function attempt(url: string, part: string, options: DownloadOptions): Promise<void> {
  const stallTimeout = options.stallTimeout ?? 30_000;
  const connection = new AbortController();
  const abortRequest = (): void =>
    connection.abort(new AttemptError(`no data for ${stallTimeout / 1000} s`, true, true));
  const onAbort = (): void => connection.abort(options.signal?.reason);
  options.signal?.throwIfAborted();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const connecting = setTimeout(abortRequest, stallTimeout);
  try {
    const offset = await sizeOf(part);
    const response = await request(url, offset, connection.signal);
    clearTimeout(connecting);
    checkStatus(response, offset);
    if (response.status === 416) {
      // The part file already has all bytes (or too many): the checksum decides.
      await response.body?.cancel();
      return;
    }
    const range = response.status === 206 ? parseContentRange(response.headers.get('content-range')) : undefined;
    if (response.status === 206 && range?.start !== offset) {
      await response.body?.cancel();
      await rm(part, { force: true });
      throw new AttemptError(
        `server answered range ${response.headers.get('content-range')} to a request from byte ${offset}`,
        true,
        true,
      );
    }
    const start = response.status === 206 ? offset : 0;
    const length = response.headers.get('content-length');
    const total = range?.total ?? (length === null ? undefined : start + Number(length));
    const report = (received: number): void =>
      options.onProgress?.({ file: basename(options.destination), url, received, total });
    report(start);
    const received = await writeBody(response, part, start, stallTimeout, abortRequest, report);
    if (total !== undefined && received !== total) {
      throw new AttemptError(`connection cut after ${received} of ${total} bytes`, true, true);
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof AttemptError) throw error;
    if (connection.signal.aborted) throw connection.signal.reason;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EACCES' || code === 'EROFS' || code === 'EDQUOT') throw error;
    throw new AttemptError(`connection cut (${errorCode(error) ?? (error as Error).message})`, true, true);
  } finally {
    clearTimeout(connecting);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

/** Tries one URL until the file is complete and correct; throws what stopped it last. */
async function fromUrl(url: string, part: string, options: DownloadOptions): Promise<void> {
  const attempts = options.attempts ?? 3;
  for (let tried = 1; ; tried++) {
    const resumed = (await sizeOf(part)) > 0;
    try {
      await attempt(url, part, options);
      const actual = await sha256OfFile(part);
      if (actual === options.sha256) return;
      await rm(part, { force: true });
      // Bytes of an earlier run may be what is wrong, so a continued file gets another try from its start.
      throw new AttemptError(`wrong SHA-256 ${actual}, expected ${options.sha256}`, resumed, true);
    } catch (error) {
      if (!(error instanceof AttemptError) || !error.retry || tried >= attempts) throw error;
      await delay((options.retryDelay ?? 500) * 2 ** (tried - 1), undefined, { signal: options.signal });
    }
  }
}

/**
 * Downloads a file: over several URLs, resuming after interruptions, checked against its SHA-256, and put in place by an
 * atomic rename, so that a file under its final name is always complete and correct.
 * @throws {DownloadError} if no URL gave the file.
 * @throws the signal's reason when aborted; the part file stays for the next run.
 */
export async function downloadFile(options: DownloadOptions): Promise<void> {
  const part = `${options.destination}.part`;
  const failures: { url: string; reason: string }[] = [];
  let reached = false;
  await mkdir(dirname(options.destination), { recursive: true });
  for (const url of options.urls) {
    try {
      await fromUrl(url, part, options);
      await rename(part, options.destination);
      return;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof AttemptError)) throw error;
      reached ||= error.reached;
      failures.push({ url, reason: error.message });
    }
  }
  throw new DownloadError(basename(options.destination), failures, !reached);
}
