import { appendFileSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Crc32c } from '@aws-crypto/crc32c';
import protobuf from 'protobufjs/light.js';

/** The part of tensorflow/core/util/event.proto and framework/summary.proto that scalars need. */
const root = protobuf.Root.fromJSON({
  nested: {
    Value: {
      // In a oneof, so that a zero is written, too.
      oneofs: { value: { oneof: ['simpleValue'] } },
      fields: { tag: { type: 'string', id: 1 }, simpleValue: { type: 'float', id: 2 } },
    },
    Summary: { fields: { value: { rule: 'repeated', type: 'Value', id: 1 } } },
    Event: {
      fields: {
        wallTime: { type: 'double', id: 1 },
        step: { type: 'int64', id: 2 },
        fileVersion: { type: 'string', id: 3 },
        summary: { type: 'Summary', id: 5 },
      },
    },
  },
});
const Event = root.lookupType('Event');

/** Checksum of a TFRecord: CRC-32C, rotated right by 15 bits, plus a constant (tensorflow/core/lib/hash/crc32c.h). */
function maskedCrc(bytes: Uint8Array): number {
  const crc = new Crc32c().update(bytes).digest();
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A TFRecord: length, its checksum, data, its checksum (tensorflow/core/lib/io/record_writer.cc). */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(16 + data.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return record;
}

/**
 * An event file that TensorBoard shows curves from. Every call appends whole records, so that a file cut off by a kill is
 * readable up to the last whole one.
 */
export class EventFile {
  readonly path: string;

  /** @param folder is made if it does not exist; a resumed run adds another file to it */
  constructor(folder: string, now = Date.now()) {
    mkdirSync(folder, { recursive: true });
    this.path = join(folder, `events.out.tfevents.${Math.floor(now / 1000)}.${hostname()}.${process.pid}`);
    this.append({ fileVersion: 'brain.Event:2' }, now);
  }

  private append(event: object, now: number): void {
    appendFileSync(this.path, encodeRecord(Event.encode({ wallTime: now / 1000, ...event }).finish()));
  }

  /** Adds one point to every curve; values that are not finite are left out. */
  scalars(step: number, values: Readonly<Record<string, number>>, now = Date.now()): void {
    const value = Object.entries(values)
      .filter(([, v]) => Number.isFinite(v))
      .map(([tag, simpleValue]) => ({ tag, simpleValue }));
    this.append({ step, summary: { value } }, now);
  }
}
