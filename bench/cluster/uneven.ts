/** What staleness saves where machines are uneven. */
import { writeFileSync } from 'node:fs';
import type { CorpusName } from '../../lib/meta/corpus';
import { describeMachine } from '../machine';
import { withRedis } from './processes';
import { cluster, configOf, say } from './runs';

/** How long a worker takes for all parts of an iteration, in milliseconds, and the slow one of four. */
const PACE = 4000;
const SLOW = 4 * PACE;
const CREWS = { even: [PACE, PACE, PACE, PACE], uneven: [PACE, PACE, PACE, SLOW], three: [PACE, PACE, PACE] } as const;
const STALENESS = [0, 1, 2];
/** So that no single part is what an iteration waits for. */
const COPIES = 4;

interface UnevenOptions {
  readonly iterations: number;
  readonly warmUp: number;
  readonly corpus: CorpusName;
  readonly json?: string;
}

export async function measureUneven({ iterations, warmUp, corpus, json }: UnevenOptions): Promise<void> {
  const rows: { crew: string; staleness: number; iterationsPerSecond: number }[] = [];
  await withRedis(async (url, processId) => {
    for (const [crew, paces] of Object.entries(CREWS)) {
      for (const staleness of STALENESS) {
        say(`${crew}, staleness ${staleness}`);
        const config = configOf({ corpus, copies: COPIES, staleness }, iterations + warmUp);
        const { iterationsPerSecond } = await cluster({ url, processId }, config, warmUp, paces);
        rows.push({ crew, staleness, iterationsPerSecond });
      }
    }
  });
  console.log(`iterations per second with staleness ${STALENESS.join(', ')}`);
  for (const [crew, paces] of Object.entries(CREWS)) {
    const rates = rows.filter((row) => row.crew === crew).map((row) => row.iterationsPerSecond.toFixed(2));
    console.log(`  ${crew.padEnd(8)} (${paces.join(', ')} ms per iteration)   ${rates.join('   ')}`);
  }
  if (json !== undefined) {
    writeFileSync(
      json,
      `${JSON.stringify({ machine: describeMachine(), corpus, copies: COPIES, iterations, crews: CREWS, rows }, null, 2)}\n`,
    );
  }
}
