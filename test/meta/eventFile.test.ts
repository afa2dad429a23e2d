import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeRecord, EventFile } from '../../lib/meta/eventFile';

const folder = mkdtempSync(join(tmpdir(), 'events-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** CRC-32C bit by bit, from its definition (reflected polynomial 0x82f63b78). */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

function readRecords(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(crc32c(bytes.subarray(at, at + 8))));
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(masked(crc32c(data)));
    records.push(data);
    at += 16 + length;
  }
  return records;
}

/** Written by TensorFlow 2.21.0: test/fixtures/events/scalars.py. */
const byTensorFlow = readFileSync(fileURLToPath(new URL('../fixtures/events/scalars.tfevents', import.meta.url)));

describe('an event file', () => {
  it('has the bytes of the same events from TensorFlow', () => {
    const file = new EventFile(folder, 1_700_000_000_000);
    file.scalars(7, { rate: 0.5, failures: 0, 'meta-loss/sum-2d': -2.625 }, 1_700_000_001_500);
    file.scalars(3_000_000_000, { rate: 1e-6 }, 1_700_000_100_000);
    expect(readFileSync(file.path).toString('hex')).toBe(byTensorFlow.toString('hex'));
    rmSync(file.path);
  });

  it('is a sequence of TFRecords with masked CRC-32C checksums', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(readRecords(byTensorFlow)).toHaveLength(3);
    const record = Buffer.from(encodeRecord(Buffer.from('abc')));
    expect(readRecords(record).map(String)).toEqual(['abc']);
  });

  it('holds the version and every finite scalar, zeros too, with step and time', () => {
    const file = new EventFile(folder, 1_700_000_000_000);
    file.scalars(7, { rate: 0.5, failures: 0, broken: NaN }, 1_700_000_001_000);
    const [version, event] = readRecords(readFileSync(file.path));
    expect(version.toString('latin1')).toContain('brain.Event:2');
    // event.proto: wall_time = 1 (double), step = 2 (varint), summary = 5 { value = 1 { tag = 1, simple_value = 2 } }
    const value = (tag: string, bits: number[]): number[] => {
      const body = [0x0a, tag.length, ...Buffer.from(tag), 0x15, ...bits];
      return [0x0a, body.length, ...body];
    };
    const summary = [...value('rate', [0, 0, 0, 0x3f]), ...value('failures', [0, 0, 0, 0])];
    const time = Buffer.alloc(8);
    time.writeDoubleLE(1_700_000_001);
    expect([...event]).toEqual([0x09, ...time, 0x10, 7, 0x2a, summary.length, ...summary]);
  });
});
