import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a surrounding `npm test` has set, and what makes Node say more than it would. */
const NOT_INHERITED = /^(npm_(package|lifecycle|command)|(FORCE_COLOR|NODE_OPTIONS)$)/;

/** Runs a program to its end. */
export function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Result {
  const inherited = Object.entries(process.env).filter(([name]) => !NOT_INHERITED.test(name));
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...Object.fromEntries(inherited), NO_COLOR: '1', ...env },
  });
  return { code: status, stdout, stderr };
}

/** `run`, for programs that must succeed. Returns what they print. */
export function succeed(command: string, args: readonly string[], cwd: string, env?: NodeJS.ProcessEnv): string {
  const { code, stdout, stderr } = run(command, args, cwd, env);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** A folder that has the given programs of PATH, to be the whole PATH of a machine without a compiler. */
export function pathWithOnly(folder: string, programs: readonly string[]): string {
  mkdirSync(folder, { recursive: true });
  const folders = process.env['PATH']!.split(delimiter);
  for (const program of programs) {
    const found = folders.find((candidate) => {
      try {
        return realpathSync(join(candidate, program));
      } catch {
        return false;
      }
    });
    if (found === undefined) throw new Error(`${program} is not on PATH`);
    symlinkSync(realpathSync(join(found, program)), join(folder, program));
  }
  return folder;
}

/** The packages as `npm run pack` makes them: staged folders and tarballs. */
export interface Packed {
  readonly main: string;
  readonly platform: string;
  readonly platformName: string;
  readonly tarballs: readonly string[];
}

export function pack(folder: string): Packed {
  succeed(process.execPath, [join(root, 'scripts/pack.mjs'), '--out', folder], root);
  const entries = readdirSync(folder);
  const platformName = entries.find((name) => !name.startsWith('learned-optimizer'))!;
  return {
    main: join(folder, 'learned-optimizer'),
    platform: join(folder, platformName),
    platformName,
    tarballs: entries.filter((name) => name.endsWith('.tgz')).map((name) => join(folder, name)),
  };
}

/** An empty project in a temporary folder. */
export function emptyProject(): string {
  // The real path: Node names files by it in messages.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'lo-consumer-')));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
  return folder;
}

/** Brings the dependencies of a package into npm's cache. */
export function cacheDependencies(folder: string): void {
  const dependencies = Object.entries(readManifest(folder)['dependencies'] as Record<string, string>);
  const project = emptyProject();
  const specs = dependencies.map(([name, version]) => `${name}@${version}`);
  succeed('npm', ['install', '--prefer-offline', '--ignore-scripts', ...specs], project);
  rmSync(project, { recursive: true, force: true });
}

/** Puts packages of the checkout into a project, so that large ones are not installed again. */
export function link(project: string, packages: readonly string[]): void {
  for (const name of packages) {
    const target = join(project, 'node_modules', name);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), target, 'junction');
  }
}

export const readManifest = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
