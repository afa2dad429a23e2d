import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Streams } from '../../lib/cli/output';
import { createProgress } from '../../lib/cli/progress';

/** Streams that keep what was written to the error stream; `terminal` gives it the methods of a terminal. */
function streams(terminal: boolean): { streams: Streams; text: () => string } {
  const err = new PassThrough();
  let text = '';
  err.on('data', (data: Buffer) => (text += data.toString()));
  const cursor = { isTTY: true, columns: 100, cursorTo: () => true, moveCursor: () => true, clearLine: () => true };
  if (terminal) Object.assign(err, cursor);
  return { streams: { out: process.stdout, err: err as unknown as NodeJS.WriteStream }, text: () => text };
}

describe('progress', () => {
  it('is a line at every quarter where output is piped', () => {
    const { streams: piped, text } = streams(false);
    const progress = createProgress(piped);
    for (let step = 0; step <= 2000; step += 10) progress.update('Adam', step, 2000, `loss ${step}`);
    for (const step of [1, 2]) progress.update('RMSProp', step, 2, '');
    progress.stop();
    expect(text().trimEnd().split('\n')).toEqual([
      'Adam: 500 of 2,000, loss 500',
      'Adam: 1,000 of 2,000, loss 1000',
      'Adam: 1,500 of 2,000, loss 1500',
      'Adam: 2,000 of 2,000, loss 2000',
      'RMSProp: 1 of 2',
      'RMSProp: 2 of 2',
    ]);
  });

  it('is one bar after the other on a terminal, and gives the cursor back when stopped half-way', () => {
    const { streams: terminal, text } = streams(true);
    const progress = createProgress(terminal);
    for (const step of [0, 10, 20]) progress.update('Adam', step, 20, 'loss 1');
    progress.update('RMSProp', 3, 20, 'loss 2');
    progress.stop();
    progress.stop();
    expect(text()).toMatch(/Adam .*20\/20 .*loss 1[^]*RMSProp .*3\/20 .*loss 2/);
    const count = (sequence: string): number => text().split(sequence).length - 1;
    expect(count('\u001b[?25l')).toBe(2);
    expect(count('\u001b[?25h')).toBe(2);
  });
});
