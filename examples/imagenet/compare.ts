/**
 * Trains Inception V3 and ResNet V2 on real images with the learned optimizer beside Adam at several rates.
 * Run: npx tsx examples/imagenet/compare.ts --help
 */
import { EXIT, Interrupted } from '../../lib/cli/exit';
import { runCompare } from './comparison/command';

const controller = new AbortController();
// First Ctrl-C: stop in good order. Second: stop now.
process.on('SIGINT', () => {
  if (controller.signal.aborted) process.exit(EXIT.interrupted);
  controller.abort(new Interrupted());
});

process.exitCode = await runCompare(process.argv.slice(2), {
  streams: { out: process.stdout, err: process.stderr },
  signal: controller.signal,
});
