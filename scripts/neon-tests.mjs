/**
 * Builds the native tests for arm64 with a cross compiler and runs them under qemu-user: the NEON kernels on a machine
 * without them.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = 'build-tests-neon';
const COMPILER = 'aarch64-linux-gnu-g++';
const EMULATOR = 'qemu-aarch64';
const SYSROOT = '/usr/aarch64-linux-gnu';

function run(command, args, env = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 1 << 28,
  });
  if (result.status !== 0) process.stdout.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  return result;
}

function main(args) {
  if (args.includes('--help')) {
    console.log(
      'Usage: node scripts/neon-tests.mjs [--require]\n\n  --require   fail where the cross compiler or the emulator is missing',
    );
    return 0;
  }
  const missing = [COMPILER, EMULATOR, 'cmake'].filter((tool) => spawnSync(tool, ['--version']).status !== 0);
  if (missing.length > 0) {
    console.log(
      `NEON tests: skipped, ${missing.join(' and ')} not found (on Debian: apt-get install g++-aarch64-linux-gnu qemu-user cmake)`,
    );
    return args.includes('--require') ? 1 : 0;
  }
  const options = [
    '-DLO_TESTS=ON',
    '-DLO_TEST_QUICK=ON',
    '-DCMAKE_BUILD_TYPE=Release',
    '-DCMAKE_SYSTEM_NAME=Linux',
    '-DCMAKE_SYSTEM_PROCESSOR=aarch64',
    `-DCMAKE_CXX_COMPILER=${COMPILER}`,
  ];
  const built =
    run('cmake', ['-S', '.', '-B', FOLDER, ...options]).status === 0 &&
    run('cmake', ['--build', FOLDER, '--target', 'native_tests', '--parallel', '2']).status === 0;
  const tested =
    built && run(EMULATOR, ['-L', SYSROOT, `${FOLDER}/native/test/native_tests`], { LEARNED_OPTIMIZER_ISA: 'neon' });
  const passed = tested !== false && tested.status === 0;
  if (passed) console.log(tested.stdout.trim().split('\n').slice(-1)[0]);
  console.log(`NEON tests under ${EMULATOR}: ${passed ? 'passed' : 'FAILED'}`);
  return passed ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
