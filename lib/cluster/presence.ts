import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import { hexadecimal } from './payloads';
import type { RedisAccess } from './redis';

/** How often a member says that it is there at least, and for how long it is believed, in seconds. */
const EVERY_SECONDS = 5;
const BELIEVED_SECONDS = 20;
/** How long after a lost connection is back all have shown themselves again: connecting takes a few seconds, too. */
export const RETURN_SECONDS = 10;

/** Checks what should be the id of a member. */
export const checkMemberId = hexadecimal(12, 'the id of a worker');

export function isMemberId(id: unknown): boolean {
  try {
    checkMemberId('id', id);
    return true;
  } catch {
    return false;
  }
}

export type Role = 'coordinator' | 'worker';

/** A process of the cluster, as it describes itself. */
export interface Member {
  readonly role: Role;
  readonly id: string;
  readonly host: string;
  readonly process: number;
  readonly queue: string;
  readonly version: string;
  readonly isa: string;
  readonly node: string;
  /** What it has done so far. */
  readonly counts: Readonly<Record<string, number>>;
  /** It takes no more jobs, and ends when those in hand are done. */
  readonly leaving?: boolean;
}

/** A process's sign of life. */
export class Presence {
  readonly id = randomBytes(6).toString('hex');
  private timer: NodeJS.Timeout | undefined;
  private isSaying = false;
  private isLeaving = false;
  private isStopped = false;

  constructor(
    private readonly redis: Redis,
    private readonly access: RedisAccess,
    private readonly describe: () => Pick<Member, 'role' | 'queue' | 'version' | 'isa' | 'node' | 'counts'>,
    /** How long it is believed, in seconds. */
    private readonly believedSeconds: number = BELIEVED_SECONDS,
  ) {}

  private get key(): string {
    return memberKey(this.access, this.id);
  }

  async start(): Promise<void> {
    await this.say();
    if (this.isStopped) return;
    this.timer = setInterval(() => void this.say(), 1000 * Math.min(EVERY_SECONDS, this.believedSeconds / 4));
  }

  private async say(): Promise<void> {
    // While there is no connection the first sign waits; more would be sent all at once.
    if (this.isSaying) return;
    this.isSaying = true;
    const leaving = this.isLeaving || undefined;
    const member: Member = { id: this.id, host: hostname(), process: process.pid, ...this.describe(), leaving };
    // It may be ended at any time now, and what it has in hand waits for that.
    const seconds = leaving ? Math.min(this.believedSeconds, BELIEVED_SECONDS) : this.believedSeconds;
    const milliseconds = Math.ceil(1000 * seconds);
    await this.redis.set(this.key, JSON.stringify(member), 'PX', milliseconds).catch(() => undefined);
    this.isSaying = false;
    if (this.isLeaving && !leaving && !this.isStopped) await this.say();
  }

  /** Says that it is there still, but takes no more jobs. */
  async leave(): Promise<void> {
    this.isLeaving = true;
    await this.say();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    // Without a connection the sign expires by itself.
    if (this.redis.status === 'ready') await this.redis.unlink(this.key).catch(() => undefined);
  }
}

function memberKey(access: RedisAccess, id: string): string {
  return access.key('member', id);
}

/** Whether a process has shown itself lately. */
export async function isMember(redis: Redis, access: RedisAccess, id: string): Promise<boolean> {
  return (await redis.exists(memberKey(access, id))) === 1;
}

function readMember(text: string): Member | undefined {
  try {
    const { role, id, host, process, queue, version, isa, node, counts, leaving } = JSON.parse(text) as Member;
    const texts = [id, host, queue, version, isa, node].every(
      (value) => typeof value === 'string' && value.length < 300,
    );
    if ((role !== 'coordinator' && role !== 'worker') || !texts || !isMemberId(id) || typeof process !== 'number') {
      return undefined;
    }
    const numbers = Object.entries(counts ?? {}).filter(([, value]) => typeof value === 'number');
    const member = { role, id, host, process, queue, version, isa, node, counts: Object.fromEntries(numbers) };
    return leaving === true ? { ...member, leaving } : member;
  } catch {
    return undefined;
  }
}

/** The processes of the cluster that have shown themselves lately. What is no description of one is left out. */
export async function membersOf(redis: Redis, access: RedisAccess): Promise<Member[]> {
  const keys: string[] = [];
  for await (const found of redis.scanStream({ match: access.key('member', '*'), count: 1000 })) {
    keys.push(...(found as string[]));
  }
  if (keys.length === 0) return [];
  const texts = await redis.mget(...new Set(keys));
  return texts.flatMap((text) => readMember(text ?? '') ?? []).sort((a, b) => (a.id < b.id ? -1 : 1));
}
