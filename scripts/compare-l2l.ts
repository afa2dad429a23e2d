/**
 * Trains small networks with L2L and with Adam.
 * Run: npx tsx scripts/compare-l2l.ts --help
 */
import { EXIT, Interrupted } from '../lib/cli/exit';
import { runCompareL2l } from './l2l/compareCommand';

const controller = new AbortController();
// First Ctrl-C: stop in good order. Second: stop now.
process.on('SIGINT', () => {
  if (controller.signal.aborted) process.exit(EXIT.interrupted);
  controller.abort(new Interrupted());
});

process.exitCode = await runCompareL2l(process.argv.slice(2), {
  streams: { out: process.stdout, err: process.stderr },
  signal: controller.signal,
});
