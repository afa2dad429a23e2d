import CliTable from 'cli-table3';
import { median, medianAbsoluteDeviation } from '../statistics';
import { DESCRIPTIONS } from './jobs';
import type { Subject } from './jobs';
import type { Sample } from './measure';

/** One subject on one family (or mix) with one number of threads. */
export interface Row {
  readonly threads: number;
  readonly family: string;
  readonly subject: Subject;
  /** Of this package, or of JAX. */
  readonly engine: 'native' | 'jax';
  /** Instance-steps per second of wall time, and of processor time: medians over the turns. */
  readonly rate: number;
  readonly mad: number;
  readonly cpuRate: number;
  readonly samples: readonly Sample[];
}

export function rowOf(
  threads: number,
  family: string,
  subject: Subject,
  engine: Row['engine'],
  samples: readonly Sample[],
): Row {
  const rates = samples.map(({ steps, seconds }) => steps / seconds);
  return {
    threads,
    family,
    subject,
    engine,
    rate: median(rates),
    mad: medianAbsoluteDeviation(rates),
    cpuRate: median(samples.map(({ steps, cpuSeconds }) => steps / cpuSeconds)),
    samples,
  };
}

/** Antithetic pairs (PES) or problems (BPTT) per family of the JAX implementation's mix. */
const JAX_MIX: Readonly<Record<string, number>> = {
  'residuals-3': 18,
  'residuals-1': 6,
  'softmax-16': 21,
  'softmax-36': 6,
  'linear-20': 18,
  'sum-2d': 18,
  'single-2d': 24,
};

/** Rate for the JAX implementation's mix from those of the families; NaN when one is missing. */
export function rateOfJaxMix(
  rows: readonly Row[],
  threads: number,
  subject: Subject,
  pick: 'rate' | 'cpuRate',
): number {
  let [steps, seconds] = [0, 0];
  for (const [family, weight] of Object.entries(JAX_MIX)) {
    const row = rows.find((r) => r.family === family && r.threads === threads && r.subject === subject);
    steps += weight;
    seconds += weight / (row?.[pick] ?? NaN);
  }
  return steps / seconds;
}

const count = (n: number): string => Math.round(n).toLocaleString('en');
const cell = (row: Row | undefined): string => (row === undefined ? '' : `${count(row.rate)} (${count(row.cpuRate)})`);

/** Instance-steps per second, a line per family, a column per subject. */
export function rateTable(rows: readonly Row[], threads: number, subjects: readonly Subject[]): string {
  const mine = rows.filter((r) => r.threads === threads && r.engine === 'native');
  const table = new CliTable({
    head: [
      `${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      ...subjects.map((s) => DESCRIPTIONS[s]),
      'native / TypeScript',
    ],
    colAligns: ['left', ...subjects.map(() => 'right' as const), 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const family of new Set(mine.map((r) => r.family))) {
    const of = (subject: Subject): Row | undefined => mine.find((r) => r.family === family && r.subject === subject);
    const [step, typescript] = [of('step'), of('typescript')];
    const ratio = step && typescript ? `${(step.rate / typescript.rate).toFixed(1)}×` : '';
    table.push([family, ...subjects.map((s) => cell(of(s))), ratio]);
  }
  if (subjects.every((s) => Number.isFinite(rateOfJaxMix(mine, threads, s, 'rate')))) {
    const rates = subjects.map(
      (s) => `${count(rateOfJaxMix(mine, threads, s, 'rate'))} (${count(rateOfJaxMix(mine, threads, s, 'cpuRate'))})`,
    );
    table.push(['JAX mix', ...rates, '']);
  }
  return table.toString();
}

/** Lines that compare with JAX: the measured mixes of both sides, and this engine's rate for JAX's. */
export function jaxLines(rows: readonly Row[]): string[] {
  return rows
    .filter((r) => r.engine === 'jax')
    .map((jax) => {
      const own = rows.find(
        (r) => r.engine === 'native' && r.family === 'mix' && r.threads === jax.threads && r.subject === jax.subject,
      )!;
      const same = rateOfJaxMix(rows, jax.threads, jax.subject, 'rate');
      const sameCpu = rateOfJaxMix(rows, jax.threads, jax.subject, 'cpuRate');
      const times = (a: number, b: number): string => (Number.isNaN(a) ? '–' : `${(a / b).toFixed(1)}×`);
      return (
        `${DESCRIPTIONS[jax.subject]}, ${jax.threads} ${jax.threads === 1 ? 'core' : 'cores'}: JAX ${cell(jax)}, ` +
        `this engine's mix ${times(own.rate, jax.rate)} (per processor time ${times(own.cpuRate, jax.cpuRate)}), ` +
        `on JAX's mix ${times(same, jax.rate)} (${times(sameCpu, jax.cpuRate)})`
      );
    });
}
