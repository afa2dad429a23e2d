import { CommanderError, type Command } from 'commander';
import { EXIT, exitCodeOf } from './exit';
import { note, printJson, type Streams } from './output';

/**
 * Runs the command of a script or example outside the CLI, with the CLI's exit codes.
 * @param name of the script, for messages
 * @param args without the program's name
 * @returns the exit code; what went wrong has been written
 */
export async function runScript(
  name: string,
  command: Command,
  args: readonly string[],
  streams: Streams,
): Promise<number> {
  try {
    await command.parseAsync(args, { from: 'user' });
    return EXIT.success;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.success;
    const { name: kind, message } = error as Error;
    const code = error instanceof CommanderError ? EXIT.usage : exitCodeOf(error);
    if (args.includes('--json')) printJson(streams, { error: { name: kind, message, exitCode: code } });
    // commander has already written its own messages.
    if (!(error instanceof CommanderError)) note(streams, `${name}: ${message}`);
    return code;
  }
}
