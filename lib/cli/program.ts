import { Command } from 'commander';
import { info } from '../optimizer/info';
import { addClusterStatusCommand } from './commands/clusterStatus';
import { addDemoCommand } from './commands/demo';
import { addEvaluateCommand } from './commands/evaluate';
import { addExperimentCommand } from './commands/experiment';
import { addInfoCommand } from './commands/info';
import { addLandscapesCommand } from './commands/landscapes';
import { addMetaTrainCommand } from './commands/metaTrain';
import { addPresetsCommand } from './commands/presets';
import { addWorkerCommand } from './commands/worker';
import type { Context } from './context';

const HELP = `
Start here:
  $ learned-optimizer demo                              train on real digits, see the learning curves
  $ learned-optimizer evaluate --expect-median 1e-4     check the final loss over five seeds
  $ learned-optimizer landscapes                        watch it race Adam over two-dimensional landscapes
  $ learned-optimizer experiment all --quick            a look at what the paper claims, tried here
  $ learned-optimizer info                              which instruction set and how many threads are in use
  $ learned-optimizer presets                           the weights that ship
  $ learned-optimizer meta-train --minutes 10           an optimizer of your own

Every command prints results to standard output and progress to standard error; with --json, results are one JSON document, errors too.

Exit codes: 0 done, 1 failed, 2 wrong command line, 3 a result missed what was expected, 130 interrupted.
`;

/** The command line interface. Commands throw; the caller turns errors into messages and exit codes. */
export function createProgram(context: Context): Command {
  const program = new Command('learned-optimizer')
    .description(
      'A learned optimizer for TensorFlow.js and plain Float32Arrays: try it, measure it, see what it runs on.',
    )
    .addHelpText('after', HELP)
    .configureOutput({
      writeOut: (text) => void context.streams.out.write(text),
      writeErr: (text) => void context.streams.err.write(text),
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(add --help for the options and examples)')
    .exitOverride();
  // Read only when asked for, so that --help works where the native addon cannot be loaded.
  program.option('--version', 'print the version').on('option:version', () => {
    context.streams.out.write(`${info().version}\n`);
    throw new VersionPrinted();
  });
  addDemoCommand(program, context);
  addEvaluateCommand(program, context);
  addLandscapesCommand(program, context);
  addExperimentCommand(program, context);
  addInfoCommand(program, context);
  addPresetsCommand(program, context);
  addMetaTrainCommand(program, context);
  addWorkerCommand(program, context);
  addClusterStatusCommand(program, context);
  return program;
}

/** The version has been printed and nothing is left to do. */
export class VersionPrinted extends Error {}
