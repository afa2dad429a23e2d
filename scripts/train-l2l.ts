/**
 * Meta-trains L2L, the baseline of Andrychowicz et al. 2016.
 * Run: npx tsx scripts/train-l2l.ts --help
 */
import { EXIT, Interrupted } from '../lib/cli/exit';
import { runTrainL2l } from './l2l/trainCommand';

const controller = new AbortController();
// First Ctrl-C: stop in good order. Second: stop now.
process.on('SIGINT', () => {
  if (controller.signal.aborted) process.exit(EXIT.interrupted);
  controller.abort(new Interrupted());
});

process.exitCode = await runTrainL2l(process.argv.slice(2), {
  streams: { out: process.stdout, err: process.stderr },
  signal: controller.signal,
});
