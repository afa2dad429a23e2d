/** The process of one run: the job comes as JSON in its argument, steps and the record go to the parent as messages. */
import { trainContender } from './train';
import type { Job, StepReport } from './train';
import type { RunRecord } from './records';

export type Message =
  { readonly kind: 'step'; readonly report: StepReport } | { readonly kind: 'record'; readonly record: RunRecord };

const send = (message: Message): void => void process.send!(message);

// Ctrl-C reaches all processes of a terminal; the parent decides what becomes of this one.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(1));

const record = await trainContender(JSON.parse(process.argv[2]) as Job, (report) => send({ kind: 'step', report }));
send({ kind: 'record', record });
process.removeAllListeners('disconnect');
process.disconnect();
