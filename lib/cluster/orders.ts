import type { TruncationResult } from '../meta/estimator';
import { MOST_ORDERS } from './partJob';
import type { Bundle, PartOrder } from './partJob';
import type { BlobRef } from './payloads';

/** Orders for one worker go to it in jobs of about so many seconds of computation, so that what a job costs does not count. */
const JOB_SECONDS = 0.2;

/** What came of an order. */
export interface Answer {
  /** Worker that did it. */
  readonly worker: string;
  /** Of computation. */
  readonly seconds: number;
  /** If the part was wanted. */
  readonly result?: TruncationResult;
  /** If the state was wanted. */
  readonly state?: BlobRef;
}

export interface PartRequest {
  /** What is asked for; called whenever it is put into a queue, for where payloads lie may have changed. The rest stays. */
  readonly order: () => PartOrder;
  /** Number of meta-parameters. */
  readonly length: number;
  /** Worker that has the state; undefined: any. */
  readonly home?: string;
  /** Seconds that it will take, if that is known. */
  readonly seconds?: number;
  /** Sees to it that the payloads that the order names are there. */
  readonly restore: () => Promise<void>;
}

/** A job that nobody could do. */
export class JobDropped extends Error {
  override readonly name = 'JobDropped';
}

/** An order that is waited for. */
export interface Outstanding extends Omit<PartRequest, 'home'> {
  readonly id: string;
  home: string | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  /** Whether its home has tried it, 1, or not, 0. */
  tried: number;
  refusals: number;
  losses: number;
}

/** Orders that are in a queue as one job. */
export interface Sent {
  readonly id: string;
  readonly home: string | undefined;
  readonly members: readonly Outstanding[];
  /** What is being done about it; one thing at a time. */
  handling: Promise<void>;
  /** Whether somebody looks at it already. */
  isLookedAt: boolean;
  /** How often it waited for a worker that had nothing in hand, in a row. */
  idleLooks: number;
}

/** What a job says. */
export function bundleOf(members: readonly Outstanding[]): Bundle {
  return { orders: members.map(({ order }) => order()) };
}

/** Divides orders for one worker into jobs, in their order. */
export function pack(orders: readonly Outstanding[]): Outstanding[][] {
  const bundles: Outstanding[][] = [];
  let seconds = Infinity;
  for (const order of orders) {
    const alone = order.home === undefined || order.seconds === undefined;
    if (alone || seconds >= JOB_SECONDS || bundles.at(-1)!.length === MOST_ORDERS) {
      bundles.push([]);
      seconds = 0;
    }
    bundles.at(-1)!.push(order);
    seconds += alone ? Infinity : order.seconds!;
  }
  return bundles;
}
