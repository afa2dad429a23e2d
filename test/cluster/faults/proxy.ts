import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

/** A connection to a port that can be cut, be slow or far, or swallow what is sent without a word. */
export class Proxy {
  private readonly sockets = new Set<Socket>();
  private cut = false;
  private swallows = false;
  /** How much goes through, in each direction of each connection. */
  bytesPerSecond = Infinity;
  /** For how long everything is under way, in each direction. */
  milliseconds = 0;

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
        // Bytes of a connection that has lost some would make no sense any more: it stays silent for good.
        let silent = false;
        from.on('data', (data) => {
          silent ||= proxy.swallows;
          if (silent) return;
          if (proxy.milliseconds === 0) to.write(data);
          else setTimeout(() => to.writable && to.write(data), proxy.milliseconds);
          if (proxy.bytesPerSecond === Infinity) return;
          from.pause();
          setTimeout(() => from.resume(), (1000 * data.length) / proxy.bytesPerSecond);
        });
      }
    });
    return proxy;
  }

  /** Ends all connections; no new one comes about until `mend`. */
  sever(): void {
    this.cut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Nothing goes through any more, in either direction, on any connection; nobody is told. */
  swallow(): void {
    this.swallows = true;
  }

  /** New connections work again; those that have been silent stay so. */
  mend(): void {
    this.cut = false;
    this.swallows = false;
  }

  close(): void {
    this.sever();
    this.server.close();
  }
}
