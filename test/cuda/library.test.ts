import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOptimizer, info } from '../../lib/index';
import { CUDA_LIBRARY_VARIABLE, cudaInfo, findCudaLibrary } from '../../lib/optimizer/cudaLibrary';
import { temporaryFolder } from '../optimizer/temporaryFolder';
import { describeEmulated, EMULATION, OTHER_INTERFACE } from './emulation';

const at = (path: string): NodeJS.ProcessEnv => ({ [CUDA_LIBRARY_VARIABLE]: path });
const create = (): unknown => createOptimizer([new Float32Array(3)], { device: 'cuda' });

describe('the CUDA library', () => {
  const folder = temporaryFolder();
  const before = process.cwd();
  beforeEach(() => process.chdir(folder));
  afterEach(() => process.chdir(before));

  it('that a variable names and that is not there, or is no library, says so', () => {
    expect(cudaInfo(at('/nowhere/lib.so'))).toEqual({
      available: false,
      reason: `${CUDA_LIBRARY_VARIABLE}: /nowhere/lib.so does not exist`,
      devices: [],
    });
    const text = join(folder, 'text.so');
    writeFileSync(text, 'not a library');
    const { available, reason, library } = cudaInfo(at(text));
    expect({ available, library }).toEqual({ available: false, library: text });
    expect(reason).toMatch(/text\.so: \w+/);
  });

  it('that is nowhere is a reason that says where it was looked for, and an error that says what to do', () => {
    const found = findCudaLibrary({});
    // A checkout may have built one.
    if ('path' in found) return expect(found.path).toMatch(/build-cuda/);
    expect(found.reason).toContain(`the package learned-optimizer-cuda is not installed (looked from ${process.cwd()}`);
    expect(found.reason).toMatch(/build-cuda.*does not exist, and LEARNED_OPTIMIZER_CUDA_LIBRARY names none$/);
    expect(create).toThrow(
      /^CUDA is not available: no CUDA library: [^]*npm install learned-optimizer-cuda[^]*device: 'cpu'/,
    );
    expect(info().cuda).toEqual({ available: false, reason: found.reason, devices: [] });
  });

  it('is taken from the package that the program has', () => {
    const home = join(folder, 'node_modules', 'learned-optimizer-cuda');
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name: 'learned-optimizer-cuda', library: 'it.so' }));
    expect(findCudaLibrary({})).toEqual({ path: join(home, 'it.so') });
    expect(findCudaLibrary(at(home))).toEqual({ path: home });
    expect(cudaInfo({}).reason).toMatch(/it\.so: \w+/);
  });
});

describeEmulated('a library over the emulation', () => {
  it('with another interface says which', () => {
    expect(cudaInfo(at(OTHER_INTERFACE)).reason).toMatch(
      /other_interface\.so: has interface 1, this version of learned-optimizer needs \d+; install/,
    );
  });

  it('is available, and nobody takes it for a device', () => {
    const { cuda } = info();
    expect(cuda).toMatchObject({ available: true, library: EMULATION });
    expect(cuda.reason).toBeUndefined();
    expect(cuda.devices).toHaveLength(1);
    expect(cuda.devices[0]).toMatchObject({ index: 0, name: 'emulation' });
  });

  it('loads from a path of any characters', () => {
    const path = join(temporaryFolder(), 'ü 1.so');
    copyFileSync(EMULATION, path);
    expect(cudaInfo(at(path)).available).toBe(true);
  });
});
