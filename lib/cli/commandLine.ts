import { cpus } from 'node:os';
import { info } from '../optimizer/info';

/** A word of a command line, quoted for a POSIX shell where it has to be. */
export function quoted(text: string): string {
  return /^[\w./:@{}-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Processor, Node and instruction set, for a reader. */
export function machineText(): string {
  const { isa, threads } = info();
  const processors = cpus();
  return `${processors[0]?.model.trim() || process.arch}, ${processors.length} logical processors; Node ${process.version}, ${process.platform} ${process.arch}; ${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}
