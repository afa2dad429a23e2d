import type { Command } from 'commander';
import { columns } from '../../experiments/table';
import { presets } from '../../optimizer/presets';
import type { Context } from '../context';
import { printJson, printLine, tableText } from '../output';

const HELP = `
Examples:
  $ learned-optimizer presets
  $ learned-optimizer demo --preset rmsprop-like
`;

export function addPresetsCommand(program: Command, { streams }: Context): void {
  program
    .command('presets')
    .summary('the weights that ship')
    .description(
      'Lists the meta-trained weights that ship with the package, for the option "preset" of the API and --preset here.',
    )
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action(({ json }: { json?: boolean }) => {
      const list = presets();
      if (json) return printJson(streams, list);
      printLine(
        streams,
        tableText({ columns: columns('preset', 'what it is'), rows: list.map((p) => [p.name, p.description]) }),
      );
    });
}
