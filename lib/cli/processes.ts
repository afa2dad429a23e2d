import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once, setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from './exit';

/** What a process says to those that it started when they are to end. Not a signal: they may have got that already. */
const END = 'end';
/** Seconds after which a process that died is started anew, the first time and at most; each time twice as long. */
const FIRST_PAUSE = 2;
const LONGEST_PAUSE = 60;

export interface KeptProcess {
  /** Of this program. */
  readonly args: readonly string[];
  /** Aborted: the process is told to end, and not started again. */
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
  readonly onMessage: (message: unknown) => void;
}

/** Runs this program in a process of its own, which is started again when it dies, until it has been told to end. */
export async function keepProcess({ args, signal, say, onMessage }: KeptProcess): Promise<void> {
  // Any number of processes listens to it.
  setMaxListeners(0, signal);
  for (let pause = FIRST_PAUSE; !signal.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    const begun = performance.now();
    const child = fork(process.argv[1], args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    child.on('message', onMessage);
    // The error would be that it has just ended.
    const stop = (): void => void (child.connected && child.send(END, () => undefined));
    signal.addEventListener('abort', stop);
    const how = await endOf(child);
    signal.removeEventListener('abort', stop);
    if (signal.aborted) return;
    if (performance.now() - begun > 1000 * LONGEST_PAUSE) pause = FIRST_PAUSE;
    say(`worker ${child.pid}: ended with ${how}; started anew in ${pause} s`);
    await sleep(1000 * pause, undefined, { signal }).catch(() => undefined);
  }
}

/** Waits until a process has ended and all that it sent has come. */
async function endOf(child: ChildProcess): Promise<string> {
  try {
    const [[code, killer]] = (await Promise.all([once(child, 'exit'), once(child, 'disconnect')])) as [
      [number | null, string | null],
      unknown,
    ];
    return killer ?? `code ${code}`;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * In a process that another one started: does something when that one says that it is to end, or has gone. The process ends at
 * once where it has said so first and gone then: it was told twice.
 */
export function onParentsWord(stop: () => void): void {
  if (process.send === undefined) return;
  // Whoever else starts this program says nothing, and may well end by the same Ctrl-C.
  let hasSaid = false;
  process.on('message', (message) => {
    if (message !== END) return;
    hasSaid = true;
    stop();
  });
  process.once('disconnect', () => (hasSaid ? process.exit(EXIT.interrupted) : stop()));
  if (!process.connected) stop();
  // Listening alone is no reason to stay.
  else process.channel?.unref();
}

/** Says something to the process that started this one, if there is one. */
export async function tellParent(message: object): Promise<void> {
  if (process.connected) await new Promise((done) => process.send!(message, undefined, undefined, done));
}
