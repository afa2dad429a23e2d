import type { Redis } from 'ioredis';
import type { ClusterAddress } from './address';

/** Keys of everything that a cluster has in Redis begin with this, unless another name is chosen. */
export const DEFAULT_NAME = 'learned-optimizer';

/** Seconds that a first connection may take. */
const CONNECT_SECONDS = 10;

/** A connection from which no reply has come for so long counts as lost; blocking commands wait for ten seconds at most. */
const SILENCE_SECONDS = 30;

/** The same error is said again after so many milliseconds at the earliest. */
const REPEAT_AFTER = 60_000;

type BullMq = typeof import('bullmq');

export type Say = (text: string) => void;

/** Whether a key has another type than the command needs: somebody else has written there. */
export function isWrongType(error: Error): boolean {
  return error.message.includes('WRONGTYPE');
}

/**
 * Connects once, to see that it can be done.
 * @param signal aborted: it is given up
 * @throws {Error} naming the address and what went wrong
 */
export async function tryConnection(address: ClusterAddress, signal?: AbortSignal): Promise<void> {
  const { Redis: IoRedis } = await import('ioredis');
  const redis = new IoRedis(address.url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: 1000 * CONNECT_SECONDS,
    // Whoever accepts the connection may never answer.
    socketTimeout: 1000 * CONNECT_SECONDS,
  });
  let cause: Error | undefined;
  redis.on('error', (error: Error) => (cause ??= error));
  const stop = (): void => redis.disconnect();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    signal?.throwIfAborted();
    await redis.connect();
    await redis.ping();
  } catch (error) {
    signal?.throwIfAborted();
    const { message } = cause ?? (error as Error);
    throw new Error(
      `cluster: expected a Redis or Valkey at ${address.shown}, but connecting failed: ${address.redact(message)}`,
    );
  } finally {
    signal?.removeEventListener('abort', stop);
    redis.disconnect();
  }
}

/** Connections to the cluster's Redis, and BullMQ, which are loaded only here. */
export class RedisAccess {
  private readonly connections: Redis[] = [];
  private lost = false;
  private backAt = -Infinity;
  private closing = false;
  private readonly saidAt = new Map<string, number>();

  private constructor(
    readonly address: ClusterAddress,
    /** Prefix of all keys. */
    readonly name: string,
    readonly bullmq: BullMq,
    private readonly IoRedis: typeof Redis,
    /** Says something to people, without secrets. */
    readonly say: Say,
    private readonly silenceSeconds: number,
  ) {}

  /**
   * @param silenceSeconds without a reply after which a connection counts as lost, more than ten
   * @param signal aborted before it is open: it is given up
   * @throws {Error} if there is no Redis to be reached, as of `tryConnection`
   */
  static async open(
    address: ClusterAddress,
    name: string,
    say: Say,
    silenceSeconds: number = SILENCE_SECONDS,
    signal?: AbortSignal,
  ): Promise<RedisAccess> {
    const [bullmq, ioredis] = await Promise.all([import('bullmq'), import('ioredis')]);
    await tryConnection(address, signal);
    const redacted = (text: string): void => say(address.redact(text));
    return new RedisAccess(address, name, bullmq, ioredis.Redis, redacted, silenceSeconds);
  }

  /** A connection that waits and comes back when it is lost: commands are sent again, as often as it takes. */
  connect(): Redis {
    const redis = new this.IoRedis(this.address.url, {
      maxRetriesPerRequest: null,
      // A network that swallows packets says nothing.
      socketTimeout: 1000 * this.silenceSeconds,
      retryStrategy: (times: number) => Math.min(100 * times, 2000),
    });
    // Without a listener an error would end the process.
    redis.on('error', (error: Error) => this.onLost(error));
    redis.on('close', () => this.onLost());
    redis.on('ready', () => this.onReady());
    this.connections.push(redis);
    return redis;
  }

  private onLost(error?: Error): void {
    if (this.lost || this.closing) return;
    this.lost = true;
    this.say(`connection to ${this.address.shown} lost${error ? ` (${error.message})` : ''}; waiting until it is back`);
  }

  private onReady(): void {
    if (!this.lost) return;
    this.lost = false;
    this.backAt = performance.now();
    this.say(`connection to ${this.address.shown} is back`);
  }

  /** Whether a connection was lost not longer than so many seconds ago, or is lost. */
  wasLostWithin(seconds: number): boolean {
    return this.lost || performance.now() - this.backAt < 1000 * seconds;
  }

  /** Says what BullMQ reports; the loss of a connection is said once, by the above. */
  onError(error: Error): void {
    if (this.closing || /closed|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|socket timeout/i.test(error.message)) return;
    const { message } = error;
    const now = performance.now();
    if (now - (this.saidAt.get(message) ?? -Infinity) < REPEAT_AFTER) return;
    if (this.saidAt.size > 100) this.saidAt.clear();
    this.saidAt.set(message, now);
    this.say(message);
  }

  key(...parts: readonly string[]): string {
    return [this.name, ...parts].join(':');
  }

  close(): void {
    this.closing = true;
    for (const redis of this.connections) redis.disconnect();
  }
}
