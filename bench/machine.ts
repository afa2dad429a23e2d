import { cpus, totalmem } from 'node:os';
import { info } from '../lib/index';

/** What figures depend on, for tables and JSON files. */
export function describeMachine(): Readonly<Record<string, string | number>> {
  const { isa, build } = info();
  return {
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    isa,
    build,
  };
}
