import { Command, InvalidArgumentError } from 'commander';
import { SUBJECTS } from './jobs';
import type { Subject } from './jobs';

export interface Options {
  readonly seconds: number;
  readonly rounds: number;
  readonly threads: readonly number[];
  readonly only: readonly Subject[];
  readonly mixOnly: boolean;
  readonly jax?: string;
  readonly python: string;
  readonly json?: string;
}

const HELP = `
What is measured, in instance-steps per second (one step of the optimizer on one problem, with what the estimator does around it):
  pes         persistent evolution strategies, truncation 40: perturbations, task gradients, steps, full objective after every step
  bptt        truncated back-propagation, truncation 40, task gradients held constant, the same objective
  bptt2       the same with second derivatives
  step        the optimizer's step alone, every problem with its own meta-parameters
  typescript  the same step in TypeScript alone (double precision; checked against the engine before)

Subjects run in turns, for --seconds each, --rounds times; figures are medians. Rates are given per second of wall time and, in
brackets, per second of processor time: on a machine that others use too, the latter tell more. With several threads every
thread has a copy of the family; the mix (the default corpus) is divided among them as in meta-training.

--jax measures the JAX implementation of the same estimators beside it, between two turns of the mix, held to as many cores.
Every run compiles before it measures, for minutes; compiled code is kept, in JAX_COMPILATION_CACHE_DIR where that is set. Its mix has the same families in other proportions: the line
"JAX mix" gives this engine's rate for those, from the figures of the families.

Exit codes: 0 done, 1 a result was wrong or a process failed, 2 wrong command line.

Examples:
  $ npm run bench:meta
  $ npm run bench:meta -- --threads 2 --only pes,bptt --mix-only
  $ npm run bench:meta -- --jax ../prototype/speed.py --python ~/jax/bin/python --json meta.json
`;

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

function wholeNumbers(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (!Number.isInteger(value) || value < 1 || value > 256) {
      throw new InvalidArgumentError('Expected whole numbers from 1 to 256, separated by commas.');
    }
    return value;
  });
}

function subjects(text: string): Subject[] {
  return text.split(',').map((part) => {
    const found = SUBJECTS.find((name) => name === part.trim());
    if (found === undefined) throw new InvalidArgumentError(`Expected some of ${SUBJECTS.join(', ')}.`);
    return found;
  });
}

/** Reads the command line. Ends the process on --help (code 0) and on errors (code 2). */
export function readOptions(argv: readonly string[]): Options {
  return new Command('npm run bench:meta --')
    .description('Measures the meta-training engine: estimators and the step in lanes.')
    .option('--seconds <x>', 'of a turn', positive, 0.5)
    .option('--rounds <n>', 'turns of every subject', (text) => wholeNumbers(text)[0], 3)
    .option('--threads <list>', 'numbers of threads', wholeNumbers, [1, 2])
    .option('--only <list>', `some of ${SUBJECTS.join(', ')}`, subjects, [...SUBJECTS])
    .option('--mix-only', 'not the single families', false)
    .option('--jax <file>', 'speed test of the JAX implementation')
    .option('--python <command>', 'a Python that has jax', 'python3')
    .option('--json <file>', 'write all figures to this file')
    .addHelpText('after', HELP)
    .showHelpAfterError('(add --help for the options and examples)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .parse(argv)
    .opts<Options>();
}
