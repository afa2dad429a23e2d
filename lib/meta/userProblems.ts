import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Family } from '../problems/family';
import { ObjectiveLanes } from '../problems/lanes/objectiveFamily';
import type { LaneFamily } from '../problems/lanes/family';

/** Families of a user's module, by its path. Every thread loads the modules that it needs. */
const loaded = new Map<string, readonly LaneFamily[]>();

/** `import()` that the bundler leaves alone: in the CommonJS build it would become `require`, which loads no ES modules. */
const importModule = new Function('url', 'return import(url)') as (
  url: string,
) => Promise<{ readonly default?: unknown }>;

function fail(path: string, expected: string, actual: string): never {
  throw new TypeError(`problems ${path}: expected ${expected}, got ${actual}`);
}

function checkFamily(path: string, value: unknown, index: number): Family {
  const family = value as Partial<Family> | null;
  const where = `default export, entry ${index}`;
  if (typeof family !== 'object' || family === null) fail(path, `${where}: a problem family`, String(value));
  if (typeof family.name !== 'string' || family.name === '') fail(path, `${where}: a name`, String(family.name));
  if (!Array.isArray(family.parameters) || family.parameters.length === 0) {
    fail(path, `${where} ("${family.name}"): parameters, a list of { name, shape }`, String(family.parameters));
  }
  if (typeof family.sample !== 'function') {
    fail(path, `${where} ("${family.name}"): sample(random), which draws an objective`, typeof family.sample);
  }
  return family as Family;
}

/**
 * Imports a module of problem families, once per thread. Its default export is a list of families as
 * `learned-optimizer/problems` has them.
 * @param path absolute path of the module
 * @throws {RangeError} if there is no such file; {TypeError} if its default export is no list of families; what it throws itself
 */
export async function loadProblems(path: string | undefined): Promise<void> {
  if (path === undefined || loaded.has(path)) return;
  if (!isAbsolute(path)) throw new RangeError(`problems: expected the absolute path of a module, got ${path}`);
  if (!existsSync(path)) throw new RangeError(`problems: expected the path of a module, but ${path} does not exist`);
  const module = await importModule(pathToFileURL(path).href);
  const families = module.default;
  if (!Array.isArray(families) || families.length === 0) {
    fail(
      path,
      'a default export that is a list of problem families',
      families === undefined ? 'none' : typeof families,
    );
  }
  const checked = families.map((family, index) => checkFamily(path, family, index));
  const names = checked.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) fail(path, 'families of different names', `"${twice}" twice`);
  loaded.set(
    path,
    checked.map((family) => new ObjectiveLanes(family)),
  );
}

/** Families of a module that {@link loadProblems} has loaded in this thread. */
export function loadedProblems(path: string): readonly LaneFamily[] {
  const families = loaded.get(path);
  if (!families) throw new Error(`problems ${path}: not loaded yet; await loadProblems first`);
  return families;
}
