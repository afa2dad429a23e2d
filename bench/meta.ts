/** `npm run bench:meta`: speed of the meta-training engine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { info } from '../lib/index';
import { defaultCorpus } from '../lib/meta/corpus';
import { flatten } from '../lib/meta/flat';
import { initialWeights } from '../lib/optimizer/initialWeights';
import { runJax } from './meta/jax';
import { ARCHITECTURE, createTypeScriptProblem, DESCRIPTIONS } from './meta/jobs';
import type { Subject } from './meta/jobs';
import { measureFamily, Threads } from './meta/measure';
import type { Sample } from './meta/measure';
import { readOptions } from './meta/options';
import type { Options } from './meta/options';
import { jaxLines, rateTable, rowOf } from './meta/table';
import type { Row } from './meta/table';
import { pinTo } from './processes';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Largest difference between the step in TypeScript and the engine's in double precision, over 20 steps of every family. */
function typescriptError(): number {
  const flat = flatten(initialWeights(ARCHITECTURE, 1));
  return Math.max(
    ...defaultCorpus().map(({ family }) => {
      const { step, layout, state, gradient } = createTypeScriptProblem(family.lengths, flat);
      const native = state.slice();
      for (let i = 0; i < 20; i++) {
        step.step(flat, state, gradient);
        layout.step(flat, native, gradient, native);
      }
      return Math.max(...state.map((v, k) => Math.abs(v - native[k])));
    }),
  );
}

/** The mix in turns with JAX: the engine's rounds, a JAX run, and so on. JAX compiles before it measures. */
async function measureMixWithJax(options: Options, count: number, threads: Threads, cache: string): Promise<Row[]> {
  const pinning = pinTo(count);
  if (options.jax === undefined || pinning === null) {
    const measured = await measureFamily(threads, count, 'mix', options.only, options);
    return measured.map(({ subject, family, samples }) => rowOf(count, family, subject, 'native', samples));
  }
  const jax = { python: options.python, script: resolve(options.jax), cache, pinning };
  const subjects = (['pes', 'bptt'] as const).filter((subject) => options.only.includes(subject));
  const seconds = Math.max(5, 4 * options.seconds);
  const samples = new Map<string, Sample[]>();
  const keep = (key: string, sample: Sample): void => void samples.set(key, [...(samples.get(key) ?? []), sample]);
  for (let round = 0; round < 2; round++) {
    for (const { subject, samples: own } of await measureFamily(threads, count, 'mix', options.only, options)) {
      own.forEach((sample) => keep(`native ${subject}`, sample));
    }
    for (const subject of subjects) {
      say(`  JAX, ${DESCRIPTIONS[subject]} (${pinning.description})`);
      keep(`jax ${subject}`, await runJax(jax, subject, seconds));
    }
  }
  return [...samples].map(([key, all]) => {
    const [engine, subject] = key.split(' ') as [Row['engine'], Subject];
    return rowOf(count, 'mix', subject, engine, all);
  });
}

async function main(): Promise<number> {
  const options = readOptions(process.argv);
  const started = performance.now();
  const error = typescriptError();
  if (!(error < 1e-9)) {
    say(`WRONG: the step in TypeScript differs from the engine's by ${error}`);
    return 1;
  }
  const { isa, build } = info();
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    isa,
    build,
  };
  const load = [loadavg()[0]];
  const rows: Row[] = [];
  const given = process.env['JAX_COMPILATION_CACHE_DIR'];
  const cache = given ?? mkdtempSync(join(tmpdir(), 'bench-meta-'));
  try {
    for (const count of options.threads) {
      say(`${count} ${count === 1 ? 'thread' : 'threads'}`);
      const threads = new Threads(count);
      try {
        rows.push(...(await measureMixWithJax(options, count, threads, cache)));
        for (const [index, { family }] of options.mixOnly ? [] : defaultCorpus().entries()) {
          say(`  ${family.name}`);
          for (const { subject, samples } of await measureFamily(threads, count, index, options.only, options)) {
            rows.push(rowOf(count, family.name, subject, 'native', samples));
          }
        }
      } finally {
        await threads.close();
      }
      load.push(loadavg()[0]);
    }
  } finally {
    if (given === undefined) rmSync(cache, { recursive: true, force: true });
  }
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log('instance-steps per second of wall time (of processor time)');
  for (const count of options.threads) console.log(rateTable(rows, count, options.only));
  for (const line of jaxLines(rows)) console.log(line);
  const facts = Object.entries(machine).map(([key, value]) => `${key} ${value}`);
  console.log(`${facts.join(', ')}; load ${load.map((l) => l.toFixed(1)).join(', ')}; ${seconds} s`);
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ machine, load, seconds, rows }, null, 2)}\n`);
  }
  return 0;
}

process.exitCode = await main();
