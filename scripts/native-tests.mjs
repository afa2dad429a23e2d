/**
 * Builds the tests of the native core (native/test, no Node in them) and runs them on every instruction set of this
 * machine: `npm run test:native`; with sanitizers: `npm run test:sanitizers`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingToolsMessage, plan, probe } from './build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const HELP = `Usage: node scripts/native-tests.mjs [--sanitize address,undefined|thread | --sanitizers]

  --sanitize NAMES   build with these sanitizers (gcc, clang), in a folder of its own, and do less of everything
  --sanitizers       both of them, one after the other
  --help             show this
`;
/** Build folder per set of sanitizers. */
const FOLDERS = { '': 'build-tests', 'address,undefined': 'build-tests-asan', thread: 'build-tests-tsan' };

/** Sets of sanitizers to run, or a message about the arguments. */
function parse(args) {
  if (args.length === 0) return { runs: [''] };
  if (args.length === 1 && args[0] === '--sanitizers') return { runs: ['address,undefined', 'thread'] };
  if (args.length === 2 && args[0] === '--sanitize' && args[1] !== '' && Object.hasOwn(FOLDERS, args[1])) {
    return { runs: [args[1]] };
  }
  const expected = "no argument, '--sanitizers', '--sanitize address,undefined' or '--sanitize thread'";
  return { message: `native-tests: expected ${expected}, got '${args.join(' ')}'\n${HELP}` };
}

/** Runs a command; its output appears only if it fails, unless `show`. */
function succeeds(command, args, { show = false, cwd = root } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { UBSAN_OPTIONS: 'print_stacktrace=1', ...process.env },
  });
  if (show || status !== 0) process.stdout.write(`${stdout ?? ''}${stderr ?? ''}`);
  if (status !== 0)
    console.error(`native-tests: '${[command, ...args].join(' ')}' failed${error ? `: ${error.message}` : ''}`);
  return status === 0;
}

/** The line that each test program ends with, from the log that ctest leaves. */
function closingLines(folder) {
  const log = join(root, folder, 'Testing', 'Temporary', 'LastTest.log');
  if (!existsSync(log)) return [];
  return readFileSync(log, 'utf8').match(/^.*(?:\d+ tests, \d+ checks, \d+ failures|; skipped)$/gm) ?? [];
}

function run(sanitizers, tools) {
  const folder = FOLDERS[sanitizers];
  const started = performance.now();
  // A configured folder keeps its generator.
  const configured = existsSync(join(root, folder, 'CMakeCache.txt'));
  const generator = !configured && tools.ninja && process.platform !== 'win32' ? ['-G', 'Ninja'] : [];
  const options = ['-DLO_TESTS=ON', '-DCMAKE_BUILD_TYPE=Release', `-DLO_SANITIZE=${sanitizers}`];
  const built =
    succeeds('cmake', ['-S', '.', '-B', folder, ...generator, ...options]) &&
    succeeds('cmake', ['--build', folder, '--config', 'Release', '--parallel', '2']);
  const passed =
    built && succeeds('ctest', ['-C', 'Release', '--output-on-failure'], { show: true, cwd: join(root, folder) });
  if (built) for (const line of closingLines(folder)) console.log(line);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const kind = sanitizers === '' ? '' : ` with sanitizers ${sanitizers}`;
  console.log(`native tests${kind}: ${passed ? 'passed' : 'FAILED'} in ${seconds} s`);
  return passed;
}

function main(args) {
  if (args.includes('--help')) {
    console.log(HELP);
    return 0;
  }
  const { runs, message } = parse(args);
  if (message) {
    console.error(message);
    return 2;
  }
  if (runs[0] !== '' && process.platform === 'win32') {
    console.error('native-tests: sanitizers need gcc or clang; run them on Linux or macOS');
    return 1;
  }
  const tools = probe();
  const { missing } = plan(tools, 'cmake');
  if (missing.length > 0) {
    console.error(missingToolsMessage(missing));
    return 1;
  }
  return runs.map((sanitizers) => run(sanitizers, tools)).every(Boolean) ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
