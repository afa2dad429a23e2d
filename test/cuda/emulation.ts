import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { CUDA_LIBRARY_VARIABLE } from '../../lib/optimizer/cudaLibrary';

/** The CUDA library over an emulation (native/cuda/emulation), which the native tests build. */
export const EMULATION = resolve('build-tests', 'learned_optimizer_cuda_emulation.so');
/** A library that says it has another interface. */
export const OTHER_INTERFACE = resolve('build-tests', 'cuda_other_interface.so');

const there = existsSync(EMULATION) && existsSync(OTHER_INTERFACE);
if (!there) console.log('skipped: the emulated CUDA library is not built; run: npm run test:native (Linux, CMake)');

/** Tests over the emulation: every optimizer in them that asks for CUDA gets it. Skipped where it is not built. */
export function describeEmulated(name: string, body: () => void): void {
  describe.skipIf(!there)(name, () => {
    const before = process.env[CUDA_LIBRARY_VARIABLE];
    beforeAll(() => {
      process.env[CUDA_LIBRARY_VARIABLE] = EMULATION;
    });
    afterAll(() => {
      if (before === undefined) delete process.env[CUDA_LIBRARY_VARIABLE];
      else process.env[CUDA_LIBRARY_VARIABLE] = before;
    });
    body();
  });
}

/** Runs `body` with a setting of the emulation (native/cuda/emulation/settings.cpp). */
export function withSetting<R>(name: 'MEMORY' | 'DEVICES' | 'LOST', value: number, body: () => R): R {
  process.env[`LO_EMULATION_${name}`] = String(value);
  try {
    return body();
  } finally {
    delete process.env[`LO_EMULATION_${name}`];
  }
}
