import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../../lib/atomicFile';
import { EventFile } from '../../../lib/meta/eventFile';

/** Names in the folder of a run. */
export const RUN_FILES = { checkpoint: 'checkpoint.safetensors', log: 'log.jsonl', events: 'tensorboard' } as const;

/** Figures of a run as JSON lines and as TensorBoard's events. */
export class RunLog {
  private readonly path: string;
  private readonly events: EventFile;

  /** @param resumedAt steps of the checkpoint: what a killed run logged after it will be logged again, so it is removed */
  constructor(folder: string, resumedAt: number | undefined) {
    this.path = join(folder, RUN_FILES.log);
    this.events = new EventFile(join(folder, RUN_FILES.events));
    if (resumedAt === undefined || !existsSync(this.path)) return;
    const lines = readFileSync(this.path, 'utf8').split('\n').slice(0, -1);
    const kept = lines.filter((line) => (JSON.parse(line) as { step: number }).step <= resumedAt);
    if (kept.length < lines.length) writeFileAtomic(this.path, Buffer.from(kept.map((line) => `${line}\n`).join('')));
  }

  /** One line, and one point of each curve. */
  write(step: number, values: Readonly<Record<string, number>>): void {
    appendFileSync(this.path, `${JSON.stringify({ step, ...values })}\n`);
    this.events.scalars(step, values);
  }
}
