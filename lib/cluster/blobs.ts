import type { Redis } from 'ioredis';
import { checkBlob, PayloadError } from './payloads';
import type { Blob, BlobRef } from './payloads';
import { isWrongType } from './redis';
import type { RedisAccess } from './redis';

/** Payloads that nobody deletes, such as those of a coordinator that was killed, go after this many seconds. */
const KEEP_SECONDS = 6 * 3600;

/** Payloads in Redis, each under the hash of its bytes. */
export class BlobStore {
  /** Bytes that went to Redis and came from it. */
  sent = 0;
  received = 0;

  /** @param attempt what is done about commands that Redis answers with an error */
  constructor(
    private readonly redis: Redis,
    private readonly access: RedisAccess,
    private readonly attempt: <T>(command: () => Promise<T>) => Promise<T>,
  ) {}

  private key({ sha256 }: BlobRef): string {
    return this.access.key('blob', sha256);
  }

  async put({ ref, bytes }: Blob): Promise<void> {
    const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    await this.attempt(() => this.redis.set(this.key(ref), value, 'EX', KEEP_SECONDS));
    this.sent += bytes.length;
  }

  /**
   * @returns undefined where there is none
   * @throws {PayloadError} if the bytes are not those of the reference
   */
  async get(ref: BlobRef): Promise<Uint8Array | undefined> {
    // One byte more than there may be tells a longer value, however long it is.
    const bytes = await this.read(() => this.redis.getrangeBuffer(this.key(ref), 0, ref.bytes));
    if (bytes === undefined) {
      throw new PayloadError(
        'DAMAGED',
        `payload ${ref.sha256}: expected ${ref.bytes} bytes, got a key of another type`,
      );
    }
    this.received += bytes.length;
    if (bytes.length === 0) return undefined;
    checkBlob(bytes, ref);
    return bytes;
  }

  /** Whether there is something of the right length; whoever fetches it sees whether it is the right thing. */
  async has(ref: BlobRef): Promise<boolean> {
    return (await this.read(() => this.redis.strlen(this.key(ref)))) === ref.bytes;
  }

  /** @returns undefined where the key has another type */
  private read<T>(command: () => Promise<T>): Promise<T | undefined> {
    return this.attempt(() =>
      command().catch((error: Error) => {
        if (isWrongType(error)) return undefined;
        throw error;
      }),
    );
  }

  /** Deletes payloads; where that fails, they expire. */
  drop(refs: readonly BlobRef[]): void {
    if (refs.length > 0) this.redis.unlink(...refs.map((ref) => this.key(ref))).catch(() => undefined);
  }
}
