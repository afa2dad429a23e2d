import { Command, InvalidArgumentError } from 'commander';
import { DEFAULT_SIZES, OVERHEAD_SIZES, QUICK_SIZES, SIZE_UNIT } from './cases';

/**
 * What can be measured: the learned optimizer on plain arrays, or as a `tf.Optimizer` on a backend, beside Adam; and how its
 * time on arrays grows with the number of parameters.
 */
export const SUBJECTS = ['raw', 'node', 'wasm', 'cpu', 'scaling'] as const;
export type Subject = (typeof SUBJECTS)[number];

export interface Options {
  readonly json?: string;
  readonly quick: boolean;
  readonly huge: boolean;
  /** Measure what TensorFlow.js adds to a step on arrays, in place of the comparison with Adam. */
  readonly overhead: boolean;
  readonly sizes: readonly number[];
  readonly threads: readonly number[];
  readonly only: readonly Subject[];
}

const HELP = `
One step means applyGradients with gradients that are already there; for plain arrays, optimizer.step. Every comparison is made in one process,
in turns of at least 20 ms: learned, Adam, learned, Adam … The figures are medians over 9 such rounds (fewer, at least 3, where a round takes long), the ratio
is the median of the rounds' ratios, and MAD is the median distance from it. For each number of threads there is a process per backend, held to so many
cores (taskset, where it is there), so that both sides have the same.

Every total is measured in one tensor and, from 10,000 parameters on, spread over 300 tensors; so is a small network (2,410 parameters in 4 tensors).

"scaling" times steps on plain arrays by size, in turns with a million parameters in one tensor: one tensor of 10,000 to 10 million parameters, and
1,000 tensors of 64.
With --overhead the tf.Optimizer of each backend is compared with the same step on plain arrays instead: the median of the differences within a
round, and by themselves the two parts that it should consist of, reading the gradients and publishing the parameters.

Results are checked: the learned optimizer's parameters against its double precision, everybody's for movement and finite values.

"raw" is compared with Adam on the first installed of tfjs-node, wasm and cpu. tfjs-node: npm run setup:tfjs-node.

Exit codes: 0 done, 1 a result was wrong or a process failed, 2 wrong command line.

Examples:
  $ npm run bench
      everything; some minutes on two idle cores. Close other programs first
  $ npm run bench -- --quick
      fewer sizes and rounds, less than a minute
  $ npm run bench -- --sizes 4000000 --threads 2 --only node
      one figure
  $ npm run bench -- --only scaling --huge
      time per parameter from 10,000 to 100 million parameters
  $ npm run bench -- --overhead --threads 2 --only node
      what tfjs-node adds
  $ npm run bench -- --json bench/results/mine.json
      the same with all figures as JSON
`;

function list<T>(read: (text: string) => T): (text: string) => T[] {
  return (text) => text.split(',').map((part) => read(part.trim()));
}

function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text === '' || !Number.isInteger(value) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`Expected whole numbers from ${minimum} to ${maximum}, separated by commas.`);
    }
    return value;
  };
}

function size(text: string): number {
  const value = wholeNumber(SIZE_UNIT, 1e9)(text);
  if (value % SIZE_UNIT !== 0) throw new InvalidArgumentError(`Expected multiples of ${SIZE_UNIT}.`);
  return value;
}

function subject(text: string): Subject {
  const found = SUBJECTS.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`Expected some of ${SUBJECTS.join(', ')}.`);
  return found;
}

/** Reads the command line. Ends the process on --help (code 0) and on errors (code 2). */
export function readOptions(argv: readonly string[]): Options {
  const program = new Command('npm run bench --')
    .description('Measures one optimizer step, in nanoseconds per parameter, beside Adam of TensorFlow.js.')
    .option(
      '--sizes <list>',
      `totals of parameters, multiples of ${SIZE_UNIT} (default: ${DEFAULT_SIZES.join(',')})`,
      list(size),
    )
    .option('--threads <list>', 'numbers of threads', list(wholeNumber(1, 256)), [1, 2])
    .option('--only <list>', 'what to measure: raw (plain arrays), node, wasm, cpu, scaling', list(subject), [
      ...SUBJECTS,
    ])
    .option('--quick', `fewer rounds; sizes ${QUICK_SIZES.join(',')} unless given`, false)
    .option('--huge', 'scaling: 100 million parameters as well, which takes 8 GB of memory', false)
    .option(
      '--overhead',
      `what TensorFlow.js adds to a step on arrays; sizes ${OVERHEAD_SIZES.join(',')} unless given`,
      false,
    )
    .option('--json <file>', 'write all figures to this file')
    .addHelpText('after', HELP)
    .showHelpAfterError('(add --help for the options and examples)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  const options = program.parse(argv).opts<Omit<Options, 'sizes'> & { readonly sizes?: number[] }>();
  const sizes = options.overhead ? OVERHEAD_SIZES : options.quick ? QUICK_SIZES : DEFAULT_SIZES;
  return { ...options, sizes: options.sizes ?? sizes };
}
