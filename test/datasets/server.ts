import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TestServer {
  readonly url: string;
  readonly requests: { readonly path: string; readonly range: string | undefined }[];
  close(): Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** A server on 127.0.0.1; `count` is 1 at the first request. */
export async function serve(handler: Handler): Promise<TestServer> {
  const requests: { path: string; range: string | undefined }[] = [];
  const server: Server = createServer((request, response) => {
    requests.push({ path: request.url ?? '', range: request.headers.range });
    handler(request, response, requests.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Sends `content`, or its part from the requested byte on. */
export function sendRange(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start === 0) {
    response.writeHead(200, { 'content-length': content.length }).end(content);
  } else if (start >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
  } else {
    response
      .writeHead(206, {
        'content-length': content.length - start,
        'content-range': `bytes ${start}-${content.length - 1}/${content.length}`,
      })
      .end(content.subarray(start));
  }
}

/** Announces all of `content`, sends its first `bytes`, and cuts the connection when the client says that it has them. */
export class CutConnection {
  private response: ServerResponse | undefined;

  constructor(
    private readonly content: Buffer,
    private readonly bytes: number,
  ) {}

  send(response: ServerResponse): void {
    this.response = response;
    response.writeHead(200, { 'content-length': this.content.length });
    response.write(this.content.subarray(0, this.bytes));
  }

  /** For the client. */
  readonly onProgress = ({ received }: { readonly received: number }): void => {
    if (received === this.bytes) this.response?.destroy();
  };
}

/** A port of 127.0.0.1 on which nothing listens. */
export async function closedPort(): Promise<string> {
  const server = await serve(() => {});
  await server.close();
  return server.url;
}
