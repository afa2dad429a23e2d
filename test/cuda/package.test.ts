import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findCudaLibrary } from '../../lib/optimizer/cudaLibrary';
import { temporaryFolder } from '../optimizer/temporaryFolder';

const folder = temporaryFolder();

it('the package learned-optimizer-cuda has the library where it is looked for, and no scripts', () => {
  const library = join(folder, 'fake.so');
  writeFileSync(library, 'the library');
  const home = join(folder, 'node_modules');
  mkdirSync(home);
  const args = ['scripts/build-cuda.mjs', '--package', '--library', library, '--out', home];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const names = [...stdout.matchAll(/kB {2}(\S+)/g)].map((m) => m[1]).sort();
  expect(names).toEqual(['LICENSE', 'NOTICE', 'README.md', 'index.cjs', 'learned_optimizer_cuda.so', 'package.json']);
  const packed = join(home, 'learned-optimizer-cuda');
  const read = (path: string): string => readFileSync(path, 'utf8');
  const manifest = JSON.parse(read(join(packed, 'package.json'))) as Record<string, unknown>;
  const { version } = JSON.parse(read('package.json')) as { version: string };
  expect(manifest).toMatchObject({ version, os: [process.platform], cpu: [process.arch] });
  expect(manifest).not.toHaveProperty('scripts');
  const before = process.cwd();
  process.chdir(folder);
  try {
    const found = findCudaLibrary({}) as { path: string };
    expect(read(found.path)).toBe('the library');
  } finally {
    process.chdir(before);
  }
});

it('a library that is not there is no package', () => {
  const args = ['scripts/build-cuda.mjs', '--package', '--library', join(folder, 'none.so'), '--out', folder];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('none.so does not exist');
});
