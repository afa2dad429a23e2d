import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the package: the parent of this file's folder, in the sources (`bindings/`) and in the bundle (`dist/`) alike. */
const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

let addon: unknown;

/** Name of the platform package for this machine, such as `linux-x64` or `linux-x64-musl`. */
export function platformName(): string {
  const base = `${process.platform}-${process.arch}`;
  return process.platform === 'linux' && usesMusl() ? `${base}-musl` : base;
}

function usesMusl(): boolean {
  // A report without network interfaces is quick and needs no child process; glibc names its version there.
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime === undefined;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}

/**
 * Loads the native addon: a local build first, then the platform package. The result is cached.
 * @throws Error that lists what was tried, why each candidate failed, and the command that mends it.
 */
export function loadAddon(): unknown {
  if (addon !== undefined) return addon;
  const version = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
  const platform = platformName();
  const candidates = [
    join(root, 'build', 'Release', 'learned_optimizer.node'),
    join(root, 'build', 'Debug', 'learned_optimizer.node'),
    `@learned-optimizer/${platform}`,
  ];
  const failures: string[] = [];
  for (const candidate of candidates) {
    try {
      const loaded = require(candidate) as { version?: string };
      if (loaded.version !== version) {
        failures.push(`${candidate}: has version ${loaded.version ?? 'unknown'}, this package has ${version}`);
        continue;
      }
      addon = loaded;
      return addon;
    } catch (error) {
      failures.push(`${candidate}: ${firstLine(error)}`);
    }
  }
  throw new Error(
    [
      `learned-optimizer could not load its native addon for ${platform} (Node ${process.version}). Tried:`,
      ...failures.map((line) => `  - ${line}`),
      'What to do:',
      `  - installed from a registry: npm install @learned-optimizer/${platform}@${version}`,
      '    (it is an optional dependency; --omit=optional or a lockfile from another platform leaves it out)',
      '  - in a checkout: npm run build:native (needs a C++17 compiler; CMake is used when it is there)',
    ].join('\n'),
  );
}
