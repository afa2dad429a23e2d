/**
 * Compiles native/cuda/header_check.cu with nvcc, where there is one: the per-parameter mathematics of native/*.h is
 * written once for the host and for CUDA.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const nvcc = process.env.NVCC ?? 'nvcc';

if (process.argv.includes('--help')) {
  console.log(
    'Usage: node scripts/check-cuda-header.mjs [--require]\n\n  --require   fail where nvcc is missing\n\nEnvironment: NVCC, the compiler (default nvcc)',
  );
} else if (spawnSync(nvcc, ['--version']).status !== 0) {
  console.log(
    'CUDA header check: skipped, nvcc was not found (it comes with the CUDA toolkit; NVCC names another place)',
  );
  process.exitCode = process.argv.includes('--require') ? 1 : 0;
} else {
  mkdirSync(join(root, 'build-cuda'), { recursive: true });
  const args = ['-std=c++17', '-O1', '-c', 'native/cuda/header_check.cu', '-o', 'build-cuda/header_check.o'];
  const { status } = spawnSync(nvcc, args, { cwd: root, stdio: 'inherit' });
  console.log(`CUDA header check: ${status === 0 ? 'compiled' : 'FAILED'} (nvcc ${args.join(' ')})`);
  process.exitCode = status === 0 ? 0 : 1;
}
