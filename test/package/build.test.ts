import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, run } from './consumer';

interface Tools {
  compiler: boolean;
  cmake: boolean;
  ninja: boolean;
  make: boolean;
  python: boolean;
}
interface BuildScript {
  findTool(name: string, env: NodeJS.ProcessEnv, platform: string): string | undefined;
  probe(env: NodeJS.ProcessEnv, platform?: string): Tools;
  plan(tools: Tools, requested?: string): { builder?: string; missing: string[] };
}
const script = join(root, 'scripts', 'build.mjs');
const { findTool, plan, probe } = (await import(script)) as BuildScript;
const ALL: Tools = { compiler: true, cmake: true, ninja: true, make: true, python: true };

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lo-tools-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A PATH on which the given programs exist; each prints its text. */
function fakePath(name: string, programs: Record<string, string>): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [program, text] of Object.entries(programs)) {
    writeFileSync(join(path, program), `#!/bin/sh\necho '${text}'\n`);
    chmodSync(join(path, program), 0o755);
  }
  return path;
}

describe('the build script', () => {
  it('says in one message what is missing and how to get it on each system', () => {
    const { code, stdout, stderr } = run(process.execPath, [script], root, { PATH: fakePath('empty', {}), CXX: '' });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.match(/cannot be built here/g)).toHaveLength(1);
    expect(stderr).toContain('a C++17 compiler');
    for (const system of ['Debian, Ubuntu:', 'Fedora:', 'macOS:', 'Windows:', 'npm run build:native'])
      expect(stderr).toContain(system);
  });

  it('refuses arguments it does not know, with its usage', () => {
    const { code, stderr } = run(process.execPath, [script, '--with', 'bazel'], root);
    expect(code).toBe(2);
    expect(stderr).toContain("unexpected argument '--with'");
    expect(stderr).toContain('Usage:');
  });

  it.skipIf(process.platform === 'win32')('finds tools on PATH and takes folders for no tools', () => {
    const path = fakePath('found', { make: '' });
    mkdirSync(join(path, 'ninja'));
    expect(findTool('make', { PATH: path }, 'linux')).toBe(join(path, 'make'));
    expect(findTool('ninja', { PATH: path }, 'linux')).toBeUndefined();
  });

  it.skipIf(process.platform === 'win32')('does not count a CMake older than CMakeLists.txt accepts', () => {
    const old = fakePath('old', { 'c++': '', make: '', python3: 'Python 3.11.2', cmake: 'cmake version 3.14.7' });
    const recent = fakePath('recent', { 'c++': '', make: '', cmake: 'cmake version 4.0.1' });
    expect(plan(probe({ PATH: old }, 'linux')).builder).toBe('gyp');
    expect(plan(probe({ PATH: recent }, 'linux')).builder).toBe('cmake');
  });

  it.skipIf(process.platform === 'win32')('does not count a Python that does not run as Python 3', () => {
    const stub = fakePath('stub', { 'c++': '', make: '', python3: 'install me first' });
    expect(plan(probe({ PATH: stub }, 'linux')).missing).toEqual(['Python 3']);
  });

  it('takes CMake where it can, else node-gyp', () => {
    expect(plan(ALL).builder).toBe('cmake');
    expect(plan({ ...ALL, cmake: false }).builder).toBe('gyp');
    expect(plan({ ...ALL, python: false, make: false }).builder).toBe('cmake');
    expect(plan(ALL, 'gyp').builder).toBe('gyp');
  });

  it('asks for what makes the shorter way work, or the requested one', () => {
    expect(plan({ ...ALL, cmake: false, python: false })).toEqual({ builder: undefined, missing: ['Python 3'] });
    expect(plan({ ...ALL, cmake: false }, 'cmake').missing).toEqual(['CMake 3.15 or newer']);
    expect(plan({ ...ALL, compiler: false }).missing).toEqual(['a C++17 compiler']);
  });
});

describe('the check of the sources', () => {
  /** Runs the check on a copy of the tree, one file changed. */
  function check(name: string, change: (copy: string) => void): { code: number | null; stderr: string } {
    const copy = join(folder, name);
    for (const path of ['native', 'bindings', 'CMakeLists.txt', 'binding.gyp', 'package.json'])
      cpSync(join(root, path), join(copy, path), { recursive: true });
    cpSync(join(root, 'scripts/check-sources.mjs'), join(copy, 'scripts/check-sources.mjs'));
    change(copy);
    return run(process.execPath, ['scripts/check-sources.mjs'], copy);
  }

  it('passes on the tree', () => {
    expect(check('same', () => undefined)).toMatchObject({ code: 0, stderr: '' });
  });

  it('names a file that neither build compiles', () => {
    const { code, stderr } = check('extra', (copy) => writeFileSync(join(copy, 'native/extra.cpp'), ''));
    expect(code).toBe(1);
    expect(stderr).toBe('native/extra.cpp is not in CMakeLists.txt\nnative/extra.cpp is not in binding.gyp\n');
  });

  it('names a file that is gone', () => {
    const { code, stderr } = check('gone', (copy) => rmSync(join(copy, 'bindings/session.cpp')));
    expect(code).toBe(1);
    expect(stderr).toContain('CMakeLists.txt names bindings/session.cpp, which does not exist');
    expect(stderr).toContain('binding.gyp names bindings/session.cpp, which does not exist');
  });

  it('shows flags that differ', () => {
    const { code, stderr } = check('flags', (copy) =>
      writeFileSync(join(copy, 'CMakeLists.txt'), 'set(LO_FLAGS -O2)\nset(LO_NATIVE_SOURCES native/dispatch.cpp)\n'),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/LO_FLAGS differs: CMakeLists\.txt has '-O2', binding\.gyp has '.*-ffp-contract=off/);
  });
});
