import type { Redis } from 'ioredis';
import { checkBlob } from './payloads';
import type { Blob, BlobRef } from './payloads';
import type { RedisAccess } from './redis';

/** Payloads that nobody deletes, such as those of a coordinator that was killed, go after this many seconds. */
const KEEP_SECONDS = 6 * 3600;

/** Payloads in Redis, each under the hash of its bytes. */
export class BlobStore {
  /** Bytes that went to Redis and came from it. */
  sent = 0;
  received = 0;

  constructor(
    private readonly redis: Redis,
    private readonly access: RedisAccess,
  ) {}

  private key({ sha256 }: BlobRef): string {
    return this.access.key('blob', sha256);
  }

  async put({ ref, bytes }: Blob): Promise<void> {
    await this.redis.set(this.key(ref), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 'EX', KEEP_SECONDS);
    this.sent += bytes.length;
  }

  /**
   * @returns undefined where there is none
   * @throws {PayloadError} if the bytes are not those of the reference
   */
  async get(ref: BlobRef): Promise<Uint8Array | undefined> {
    // One byte more than there may be tells a longer value, however long it is.
    const bytes = await this.redis.getrangeBuffer(this.key(ref), 0, ref.bytes);
    this.received += bytes.length;
    if (bytes.length === 0) return undefined;
    checkBlob(bytes, ref);
    return bytes;
  }

  /** Whether there is something of the right length; whoever fetches it sees whether it is the right thing. */
  async has(ref: BlobRef): Promise<boolean> {
    return (await this.redis.strlen(this.key(ref))) === ref.bytes;
  }

  /** Deletes payloads; where that fails, they expire. */
  drop(refs: readonly BlobRef[]): void {
    if (refs.length > 0) this.redis.unlink(...refs.map((ref) => this.key(ref))).catch(() => undefined);
  }
}
