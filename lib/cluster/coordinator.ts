import type { Redis } from 'ioredis';
import { sha256OfFile } from '../sha256';
import type { PartsFactory } from '../meta/parts';
import type { ClusterAddress } from './address';
import { ClusterParts } from './clusterParts';
import { Dispatcher } from './dispatcher';
import type { DispatchCounts } from './dispatcher';
import { describeEngine, localEngine, queueNameOf } from './engine';
import type { Engine } from './engine';
import { unlessAborted, within } from './patience';
import { membersOf, Presence, RETURN_SECONDS } from './presence';
import type { Member } from './presence';
import { DEFAULT_NAME, RedisAccess } from './redis';
import type { Say } from './redis';

/** Seconds without a worker, or without a result, after which the coordinator says so, and between two such words. */
const PATIENCE_SECONDS = 15;
const REPEAT_SECONDS = 120;
/** How long a run that is to end waits for the next result, so that it can write a checkpoint. */
const LAST_PATIENCE_SECONDS = 10;
/** How long taking leave may take, in milliseconds: a connection may be lost at any time. */
const CLOSE_PATIENCE = 6000;

export interface CoordinatorOptions {
  readonly address: ClusterAddress;
  /** Absolute path of the user's module of problems, which is in the configuration too. */
  readonly problems?: string;
  readonly name?: string;
  readonly priority?: number;
  /** How often to look at jobs of which no event has come, and at who takes part (5). */
  readonly pollSeconds?: number;
  /** Seconds of computation after which a family's state is fetched from the worker that has it (2). */
  readonly fetchSeconds?: number;
  /**
   * That the run is to end. It does so after an iteration; this sees to it that it does not wait for results that do not come:
   * what is waited for then fails with the signal's reason.
   */
  readonly signal?: AbortSignal;
  /** As of `RedisAccess.open`. */
  readonly silenceSeconds?: number;
  readonly engine?: Engine;
  /** Called with what a person should know. */
  readonly say?: Say;
}

/** What a coordinator has done so far. */
export interface CoordinatorCounts extends DispatchCounts {
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** Spreads the parts of a meta-training run over workers. */
export class Coordinator {
  private members: readonly Member[] = [];
  private timer: NodeJS.Timeout | undefined;
  private ending: NodeJS.Timeout | undefined;
  private readonly closing = new AbortController();
  private lastWord = -Infinity;
  private lastResult = performance.now();
  private progress = 0;
  private readonly presence: Presence;

  private constructor(
    private readonly access: RedisAccess,
    private readonly redis: Redis,
    private readonly dispatcher: Dispatcher,
    private readonly engine: Engine,
    private readonly queue: string,
    private readonly problems: string | undefined,
    private readonly say: Say,
    private readonly fetchSeconds: number | undefined,
  ) {
    this.presence = new Presence(redis, access, () => ({
      ...{ role: 'coordinator' as const, queue, ...engine },
      counts: { ...this.counts() },
    }));
  }

  /** @throws {Error} if there is no Redis that can be used, and the signal's reason; nothing is left open then */
  static async open(options: CoordinatorOptions): Promise<Coordinator> {
    const { address, name = DEFAULT_NAME, pollSeconds = 5, priority, engine = localEngine(), say = () => {} } = options;
    const { signal } = options;
    const problems = options.problems === undefined ? undefined : await sha256OfFile(options.problems);
    const access = await RedisAccess.open(address, name, say, options.silenceSeconds, signal);
    let opening: Promise<Dispatcher> | undefined;
    let coordinator: Coordinator | undefined;
    try {
      const queue = queueNameOf(engine, problems);
      opening = Dispatcher.open(access, queue, { pollSeconds, priority });
      const dispatcher = await unlessAborted(signal, opening);
      coordinator = new Coordinator(
        ...([access, access.connect(), dispatcher, engine, queue, problems] as const),
        (text) => say(address.redact(text)),
        options.fetchSeconds,
      );
      await unlessAborted(signal, coordinator.begin(pollSeconds, signal));
      return coordinator;
    } catch (error) {
      if (coordinator) await coordinator.close();
      else {
        // It may be there after all.
        opening?.then((late) => late.close()).catch(() => undefined);
        access.close();
      }
      throw error;
    }
  }

  private async begin(pollSeconds: number, signal: AbortSignal | undefined): Promise<void> {
    await this.presence.start();
    await this.look();
    await this.dispatcher.sweep();
    if (this.closing.signal.aborted) return;
    signal?.addEventListener('abort', () => this.end(signal.reason as Error), {
      ...{ once: true, signal: this.closing.signal },
    });
    this.timer = setInterval(() => void this.look().catch(() => undefined), 1000 * pollSeconds);
  }

  /** Ends a run that waits for results that do not come. */
  private end(reason: Error): void {
    const { dispatcher } = this;
    if (dispatcher.isBusy) {
      this.say(
        `the run ends after this iteration; if no result comes for ${LAST_PATIENCE_SECONDS} s, with its last checkpoint`,
      );
    }
    let [progress, since] = [0, 0];
    this.ending = setInterval(() => {
      if (!dispatcher.isBusy || dispatcher.progress !== progress || since === 0) since = performance.now();
      progress = dispatcher.progress;
      if (performance.now() - since > 1000 * LAST_PATIENCE_SECONDS) dispatcher.cancel(reason);
    }, 500);
  }

  /** Looks who is there. */
  private async look(): Promise<void> {
    // Without a connection it would wait, and all looks would be taken at once when it is back.
    if (this.redis.status !== 'ready') return;
    const found = await membersOf(this.redis, this.access);
    // Who could not say it for a while has not gone.
    const before = this.access.wasLostWithin(RETURN_SECONDS) ? this.members : [];
    this.members = [...found, ...before.filter((member) => !found.some(({ id }) => id === member.id))];
    const leaving = this.members.filter((member) => member.leaving).map(({ id }) => id);
    this.dispatcher.setWorkers(
      this.fitting.map(({ id }) => id),
      leaving,
    );
    this.complain();
  }

  /** For `runMetaTraining`: the parts of a phase as jobs of this cluster. */
  get parts(): PartsFactory {
    const { dispatcher, engine, problems, say, fetchSeconds } = this;
    return (options) => new ClusterParts(dispatcher, engine, options, problems, say, fetchSeconds);
  }

  /** Workers that take the jobs of this coordinator. */
  get workers(): number {
    return this.fitting.length;
  }

  private get fitting(): readonly Member[] {
    return this.members.filter(({ role, queue, leaving }) => role === 'worker' && queue === this.queue && !leaving);
  }

  counts(): CoordinatorCounts {
    const { counts, blobs } = this.dispatcher;
    return { ...counts, bytesSent: blobs.sent, bytesReceived: blobs.received };
  }

  /** Says what stalls a run. */
  private complain(): void {
    const now = performance.now();
    const { progress, isBusy } = this.dispatcher;
    if (progress !== this.progress || !isBusy) this.lastResult = now;
    this.progress = progress;
    if (now - this.lastResult < 1000 * PATIENCE_SECONDS || now - this.lastWord < 1000 * REPEAT_SECONDS) return;
    this.lastWord = now;
    const seconds = Math.round((now - this.lastResult) / 1000);
    const others = this.members.filter(({ role, queue }) => role === 'worker' && queue !== this.queue);
    const unfit = others.map(
      (m) => `${m.host} (${describeEngine(m)}${m.queue === queueNameOf(m) ? '' : ', --problems or another release'})`,
    );
    this.say(
      `no result for ${seconds} s: ${this.dispatcher.open} parts are waited for, ${this.workers} workers fit. ` +
        `Wanted: ${describeEngine(this.engine)}${this.problems ? ', with --problems' : ''}` +
        (unfit.length > 0 ? `; others are there: ${unfit.slice(0, 5).join(', ')}` : ''),
    );
  }

  async close(): Promise<void> {
    this.closing.abort();
    clearInterval(this.timer);
    clearInterval(this.ending);
    await within(CLOSE_PATIENCE, Promise.all([this.presence.stop(), this.dispatcher.close()]));
    this.access.close();
  }
}
