import CliTable from 'cli-table3';
import type { Table } from '../experiments/table';

/** Where a command writes. Results go to `out`, everything on the way there to `err`, so that results can be piped. */
export interface Streams {
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
}

/** A table in plain text. */
export function tableText({ columns, rows }: Table): string {
  const table = new CliTable({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align }) => align),
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

/** The single JSON document that a command with `--json` prints. Values that are not finite become null. */
export function printJson(streams: Streams, value: unknown): void {
  streams.out.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printLine(streams: Streams, text: string = ''): void {
  streams.out.write(`${text}\n`);
}

/** A remark beside the results. */
export function note(streams: Streams, text: string): void {
  streams.err.write(`${text}\n`);
}
