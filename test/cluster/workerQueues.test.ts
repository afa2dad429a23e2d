import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { QueueListener } from '../../lib/cluster/jobQueue';
import type { RedisAccess } from '../../lib/cluster/redis';
import { WorkerQueues } from '../../lib/cluster/workerQueues';

describe('a worker that takes no jobs', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('gets none for five minutes, the next time for ten, whatever it says', () => {
    // Nothing of Redis is needed as long as no queue is opened.
    const queues = new WorkerQueues({} as RedisAccess, {} as Redis, 'queue', {} as QueueListener, undefined);
    const isThere = (): boolean => {
      queues.setWorkers(['deaf', 'other']);
      queues.heardOf('deaf');
      expect(queues.workers.has('other')).toBe(true);
      return queues.workers.has('deaf');
    };
    expect(isThere()).toBe(true);
    for (const minutes of [5, 10]) {
      expect(queues.giveUp('deaf')).toBe(minutes);
      vi.advanceTimersByTime(60_000 * minutes - 1);
      expect(isThere()).toBe(false);
      vi.advanceTimersByTime(1);
      expect(isThere()).toBe(true);
    }
  });
});
