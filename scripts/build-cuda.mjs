/**
 * Builds the CUDA library (native/cuda) where there is a CUDA compiler, loads it, and prints the devices or why there are none;
 * makes the package that brings it (cuda-package.mjs).
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packCuda } from './cuda-package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const nvcc = process.env.NVCC ?? process.env.CUDACXX ?? 'nvcc';
const HELP = `Usage: node scripts/build-cuda.mjs [--check] [--require] [--arch LIST] [--package [--library FILE] [--out FOLDER]]

  --check       for one architecture only, and the reverse pass of native/*.h too: does everything compile and load?
  --require     fail where nvcc is missing
  --arch LIST   CMake's CMAKE_CUDA_ARCHITECTURES, for example '90' or '80-real;90'
  --package     then pack learned-optimizer-cuda into build-cuda-package/: what is published for those who want CUDA
  --library FILE    pack this library; builds nothing
  --out FOLDER  where to pack

Environment: NVCC or CUDACXX, the compiler (default nvcc). The library is build-cuda/learned_optimizer_cuda.so; with --check
it is in build-cuda-check/.
`;
/** Exit code of lo_cuda_devices where the library loads and says why CUDA is off. */
const OFF = 3;

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) console.error(`build-cuda: '${command}': ${error.message}`);
  return status ?? 1;
}

function build({ check, arch }) {
  const folder = check ? 'build-cuda-check' : 'build-cuda';
  const configured = existsSync(join(root, folder, 'CMakeCache.txt'));
  const generator =
    !configured && process.platform !== 'win32' && spawnSync('ninja', ['--version']).status === 0
      ? ['-G', 'Ninja']
      : [];
  const options = [
    `-DCMAKE_CUDA_COMPILER=${nvcc}`,
    `-DLO_CUDA_HEADER_CHECK=${check ? 'ON' : 'OFF'}`,
    ...((arch ?? check) ? [`-DLO_CUDA_ARCHITECTURES=${arch ?? '90'}`] : []),
  ];
  const steps = [
    ['cmake', ['-S', 'native/cuda', '-B', folder, ...generator, ...options]],
    ['cmake', ['--build', folder, '--config', 'Release', '--parallel', '2']],
  ];
  for (const [command, args] of steps) if (run(command, args) !== 0) return 1;
  const status = run(join(root, folder, 'lo_cuda_devices'), [join(root, folder, 'learned_optimizer_cuda.so')]);
  return status === OFF ? 0 : status;
}

function main(args) {
  const options = { check: false, require: false, arch: undefined, package: false, library: undefined, out: undefined };
  for (let i = 0; i < args.length; ++i) {
    if (args[i] === '--check') options.check = true;
    else if (args[i] === '--require') options.require = true;
    else if (args[i] === '--package') options.package = true;
    else if (['--arch', '--library', '--out'].includes(args[i]) && args[i + 1] !== undefined) {
      options[args[i].slice(2)] = args[++i];
    } else {
      console.log(HELP);
      return args[i] === '--help' ? 0 : 2;
    }
  }
  const out = resolve(root, options.out ?? 'build-cuda-package');
  if (options.package && options.library) return packCuda(root, resolve(options.library), out);
  if (spawnSync(nvcc, ['--version']).status !== 0) {
    console.log('CUDA: skipped, nvcc was not found (it comes with the CUDA toolkit; NVCC names another place)');
    return options.require ? 1 : 0;
  }
  const started = performance.now();
  const status = build(options);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`CUDA library: ${status === 0 ? 'built and loaded' : 'FAILED'} in ${seconds} s`);
  if (status !== 0 || !options.package) return status;
  return packCuda(
    root,
    join(root, options.check ? 'build-cuda-check' : 'build-cuda', 'learned_optimizer_cuda.so'),
    out,
  );
}

process.exitCode = main(process.argv.slice(2));
