import { anyText, listOf, notNegative, objectOf, optional } from '../meta/fieldChecks';
import type { FieldCheck } from '../meta/fieldChecks';
import { MOST_ORDERS } from './partJob';
import { checkBlobRef, PayloadError } from './payloads';
import type { BlobRef } from './payloads';
import { checkMemberId } from './presence';

/** What came of an order: it is done, the worker lacks what it names, or the computation threw. */
export type OrderOutcome =
  | {
      /** Of computation. */
      readonly seconds: number;
      /** Where the state is, if it was asked for. */
      readonly state?: BlobRef;
    }
  /** Hash of a payload, or name of a state. */
  | { readonly missing: string }
  /** With this message. */
  | { readonly failed: string };

/** What a worker says of a bundle. */
export interface BundleReply {
  /** Its id. */
  readonly worker: string;
  /** In the order of the orders. */
  readonly outcomes: readonly OrderOutcome[];
  /** Where that is what the parts say that were asked for and are done. */
  readonly parts?: BlobRef;
}

const done = objectOf<{ seconds: number; state?: BlobRef }>({ seconds: notNegative, state: optional(checkBlobRef) });
const missing = objectOf<{ missing: string }>({ missing: anyText });
const failed = objectOf<{ failed: string }>({ failed: anyText });

const checkOutcome: FieldCheck = (path, value) => {
  const fields = Object.keys(value ?? {});
  const check = fields.includes('missing') ? missing : fields.includes('failed') ? failed : done;
  check(path, value);
};

const checkReply = objectOf<BundleReply>({
  worker: checkMemberId,
  outcomes: listOf('a list of outcomes', checkOutcome, MOST_ORDERS),
  parts: optional(checkBlobRef),
});

/**
 * Checks what a worker says of a bundle of so many orders.
 * @throws {PayloadError} naming the field, what was expected and what came
 */
export function checkBundleReply(value: unknown, orders: number): BundleReply {
  try {
    checkReply('', value);
    const reply = value as BundleReply;
    if (reply.outcomes.length === orders) return reply;
    throw new RangeError(`outcomes: expected ${orders}, got ${reply.outcomes.length}`);
  } catch (error) {
    throw new PayloadError('DAMAGED', `result: ${(error as Error).message}`);
  }
}
