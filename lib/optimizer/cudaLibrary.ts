import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { CudaLibrary } from '../../bindings/index';
import type { CudaDevice, CudaPlace } from '../../bindings/types';
import { packageRoot } from '../packageRoot';
import type { ResolvedOptions } from './options';

/** Environment variable with the path of the CUDA library. */
export const CUDA_LIBRARY_VARIABLE = 'LEARNED_OPTIMIZER_CUDA_LIBRARY';
/** The package that brings the library. */
export const CUDA_PACKAGE = 'learned-optimizer-cuda';

const FILE = process.platform === 'win32' ? 'learned_optimizer_cuda.dll' : 'learned_optimizer_cuda.so';

/** CUDA here: usable, or why not. */
export interface CudaInfo {
  readonly available: boolean;
  /** Why it is not available; undefined where it is. */
  readonly reason?: string;
  /** Path of the library that was found. */
  readonly library?: string;
  readonly devices: readonly CudaDevice[];
}

/** Where the opt-in package lies, as seen from a folder. */
function installedFrom(folder: string): string | undefined {
  let manifest: string;
  try {
    manifest = createRequire(join(folder, 'package.json')).resolve(`${CUDA_PACKAGE}/package.json`);
  } catch {
    return undefined;
  }
  const { library } = JSON.parse(readFileSync(manifest, 'utf8')) as { library?: string };
  return join(dirname(manifest), library ?? FILE);
}

/**
 * Looks for the library: the environment variable, which rules out the rest, then the package as the program and as this
 * package see it, then what a checkout has built.
 * @returns its path, or why there is none
 */
export function findCudaLibrary(env: NodeJS.ProcessEnv = process.env): { path: string } | { reason: string } {
  const named = env[CUDA_LIBRARY_VARIABLE];
  if (named) {
    return existsSync(named)
      ? { path: resolve(named) }
      : { reason: `${CUDA_LIBRARY_VARIABLE}: ${named} does not exist` };
  }
  const folders = [...new Set([process.cwd(), resolve(packageRoot)])];
  for (const folder of folders) {
    const path = installedFrom(folder);
    if (path !== undefined) return { path };
  }
  const built = join(packageRoot, 'build-cuda', FILE);
  if (existsSync(built)) return { path: built };
  return {
    reason:
      `no CUDA library: the package ${CUDA_PACKAGE} is not installed (looked from ${folders.join(' and ')}), ` +
      `${built} does not exist, and ${CUDA_LIBRARY_VARIABLE} names none`,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Loads the library where there is one and asks for its devices. */
export function cudaInfo(env: NodeJS.ProcessEnv = process.env): CudaInfo {
  const found = findCudaLibrary(env);
  if ('reason' in found) return { available: false, reason: found.reason, devices: [] };
  try {
    return { available: true, library: found.path, devices: new CudaLibrary(found.path).devices() };
  } catch (error) {
    // Without what is said to those who asked for CUDA.
    const reason = messageOf(error).replace(/^CUDA is not available: | \(device: 'cpu', [^()]*\)$/g, '');
    return { available: false, reason, library: found.path, devices: [] };
  }
}

/**
 * The library, for those who asked for CUDA.
 * @throws Error with `code` `ERR_CUDA_UNAVAILABLE` that says why it is not there and what to do
 */
export function requireCudaLibrary(): CudaLibrary {
  const found = findCudaLibrary();
  if ('path' in found) return new CudaLibrary(found.path);
  const error = new Error(
    `CUDA is not available: ${found.reason}\nWhat to do:\n` +
      `  - npm install ${CUDA_PACKAGE}, or in a checkout: node scripts/build-cuda.mjs (needs nvcc)\n` +
      "  - without a GPU: device: 'cpu', the default; info().cuda.available says whether CUDA can be used",
  );
  throw Object.assign(error, { code: 'ERR_CUDA_UNAVAILABLE' });
}

/** Where to make the native side, by the options; undefined: on the CPU. */
export function cudaPlace({ device, deviceIndex }: ResolvedOptions): CudaPlace | undefined {
  return device === 'cuda' ? { library: requireCudaLibrary().path, device: deviceIndex } : undefined;
}
