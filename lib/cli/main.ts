#!/usr/bin/env node
import { CommanderError } from 'commander';
import type { Context } from './context';
import { EXIT, exitCodeOf, Interrupted } from './exit';
import { printJson } from './output';
import { createProgram, VersionPrinted } from './program';

/** First Ctrl-C: stop in good order. Second: stop now. */
function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  process.on('SIGINT', () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort(new Interrupted());
  });
  return controller.signal;
}

function report(error: Error, code: number, { streams }: Context): void {
  if (process.argv.includes('--json'))
    printJson(streams, { error: { name: error.name, message: error.message, exitCode: code } });
  // commander has already written its own messages.
  if (!(error instanceof CommanderError)) streams.err.write(`learned-optimizer: ${error.message}\n`);
}

async function main(): Promise<number> {
  const context: Context = { streams: { out: process.stdout, err: process.stderr }, signal: abortOnInterrupt() };
  // A reader such as `head` that closes the pipe early is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? EXIT.success : EXIT.failure),
  );
  try {
    await createProgram(context).parseAsync();
    return EXIT.success;
  } catch (error) {
    if (error instanceof VersionPrinted) return EXIT.success;
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.success;
    const code = error instanceof CommanderError ? EXIT.usage : exitCodeOf(error);
    report(error as Error, code, context);
    return code;
  }
}

process.exitCode = await main();
