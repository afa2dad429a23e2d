import type { Command } from 'commander';
import { columns } from '../../experiments/table';
import type { CudaInfo } from '../../optimizer/cudaLibrary';
import { info } from '../../optimizer/info';
import type { Context } from '../context';
import { printJson, printLine, tableText } from '../output';

const HELP = `
Examples:
  $ learned-optimizer info
  $ learned-optimizer info --json | jq .isa
`;

function cudaText({ available, reason, library, devices }: CudaInfo): string {
  if (!available) return `not available: ${reason}`;
  return `${devices.map(({ index, name }) => `${index}: ${name}`).join(', ')} (by ${library})`;
}

export function addInfoCommand(program: Command, { streams }: Context): void {
  program
    .command('info')
    .summary('version, instruction set, threads, CUDA, presets')
    .description(
      'Prints what the optimizer runs on here: version, instruction set in use and available, threads, CUDA and why not, presets.',
    )
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action(({ json }: { json?: boolean }) => {
      const facts = info();
      if (json) return printJson(streams, facts);
      const rows = [
        ['version', facts.version],
        ['instruction set', `${facts.isa} (available: ${facts.isaAvailable.join(', ')})`],
        ['threads', String(facts.threads)],
        ['CUDA', cudaText(facts.cuda)],
        ['build', facts.build],
        ['presets', facts.presets.join(', ')],
        ['Node', `${process.version}, ${process.platform} ${process.arch}`],
      ];
      printLine(streams, tableText({ columns: columns('', ''), rows }));
    });
}
