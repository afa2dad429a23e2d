import type { Redis } from 'ioredis';
import type { ClusterAddress } from './address';
import { homeQueueOf } from './engine';
import { Waiting } from './patience';
import { membersOf } from './presence';
import type { Member } from './presence';
import { DEFAULT_NAME, isWrongType, RedisAccess } from './redis';

/** Jobs of a queue by what they wait for, those in the queues of its single workers among them. */
export interface QueueStatus {
  readonly queue: string;
  readonly waiting: number;
  readonly active: number;
  /** Between two tries. */
  readonly delayed: number;
  /** Given up, kept for people. */
  readonly failed: number;
  /** Why the latest one failed. */
  readonly lastFailure?: string;
}

export interface ClusterStatus {
  readonly members: readonly Member[];
  readonly queues: readonly QueueStatus[];
  /** Memory that Redis uses, and what it may use; 0: no limit. */
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
}

async function statusOf(access: RedisAccess, redis: Redis, name: string): Promise<QueueStatus> {
  const queue = new access.bullmq.Queue(name, { connection: redis, prefix: access.name, skipMetasUpdate: true });
  // BullMQ would print it otherwise, with the command.
  queue.on('error', () => undefined);
  try {
    const counts = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed');
    // Not by BullMQ, which reads the whole job: anybody may have written there.
    const [last] = await redis.zrevrange(queue.toKey('failed'), '0', '0');
    const reason = last === undefined ? null : await reasonOf(redis, queue.toKey(last));
    return {
      queue: name,
      waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
      delayed: counts['delayed'] ?? 0,
      failed: counts['failed'] ?? 0,
      ...(reason === null ? {} : { lastFailure: reason.slice(0, 500) }),
    };
  } finally {
    await queue.close();
  }
}

async function reasonOf(redis: Redis, job: string): Promise<string | null> {
  try {
    return await redis.hget(job, 'failedReason');
  } catch (error) {
    if (isWrongType(error as Error)) return null;
    throw error;
  }
}

/** How long looking may take, in milliseconds. */
const PATIENCE = 20_000;

/**
 * What a cluster is doing now. Changes nothing.
 * @throws {Error} if Redis cannot be reached, or does not answer for 20 seconds
 */
export async function clusterStatus(address: ClusterAddress, name: string = DEFAULT_NAME): Promise<ClusterStatus> {
  const access = await RedisAccess.open(address, name, () => undefined);
  const waiting = new Waiting();
  const silent = new Error(`cluster: ${address.shown} was reached, but did not answer for ${PATIENCE / 1000} s`);
  const timer = setTimeout(() => waiting.cancel(silent), PATIENCE);
  try {
    return await waiting.for(look(access));
  } catch (error) {
    throw new Error(address.redact((error as Error).message));
  } finally {
    clearTimeout(timer);
    access.close();
  }
}

async function look(access: RedisAccess): Promise<ClusterStatus> {
  const redis = access.connect();
  const members = await membersOf(redis, access);
  const queues: QueueStatus[] = [];
  for (const queueName of [...new Set(members.map(({ queue }) => queue))].sort()) {
    const workers = members.filter(({ role, queue }) => role === 'worker' && queue === queueName);
    const names = [queueName, ...workers.map(({ id }) => homeQueueOf(queueName, id))];
    const parts = await Promise.all(names.map((part) => statusOf(access, redis, part)));
    const sum = (field: 'waiting' | 'active' | 'delayed' | 'failed'): number =>
      parts.reduce((total, part) => total + part[field], 0);
    const lastFailure = parts.find((part) => part.lastFailure !== undefined)?.lastFailure;
    queues.push({
      ...{ queue: queueName, waiting: sum('waiting'), active: sum('active'), delayed: sum('delayed') },
      ...{ failed: sum('failed'), ...(lastFailure === undefined ? {} : { lastFailure }) },
    });
  }
  const memory = await redis.info('memory');
  const number = (field: string): number => Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(memory)?.[1] ?? 0);
  return { members, queues, memoryBytes: number('used_memory'), memoryLimitBytes: number('maxmemory') };
}
