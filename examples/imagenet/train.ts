/**
 * Trains Inception V3 or ResNet V2 on images, with the learned optimizer or another.
 * Run: npx tsx examples/imagenet/train.ts --help
 */
import { EXIT, Interrupted } from '../../lib/cli/exit';
import { runCommand } from './training/command';

const controller = new AbortController();
// First Ctrl-C: stop in good order. Second: stop now.
process.on('SIGINT', () => {
  if (controller.signal.aborted) process.exit(EXIT.interrupted);
  controller.abort(new Interrupted());
});

process.exitCode = await runCommand(process.argv.slice(2), {
  streams: { out: process.stdout, err: process.stderr },
  signal: controller.signal,
});
