import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

/** A connection to a port that can be cut. */
export class Proxy {
  private readonly sockets = new Set<Socket>();
  private cut = false;
  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async open(target: number): Promise<Proxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new Proxy(server, (server.address() as { port: number }).port);
    server.on('connection', (near) => {
      if (proxy.cut) return void near.destroy();
      const far = connect(target, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ]) {
        proxy.sockets.add(from);
        from.on('error', () => undefined);
        from.on('close', () => (proxy.sockets.delete(from), to.destroy()));
        from.pipe(to);
      }
    });
    return proxy;
  }

  /** Ends all connections; no new one comes about until `mend`. */
  sever(): void {
    this.cut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.cut = false;
  }

  close(): void {
    this.sever();
    this.server.close();
  }
}
