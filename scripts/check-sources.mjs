/**
 * Compares what CMakeLists.txt and binding.gyp compile: the same files with the same flags, and every .cpp file in native/
 * and bindings/ among them. Run by `npm run check`; prints the differences and exits with 1 if there are any.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const withoutComments = (text) => text.replace(/#.*$/gm, '');
const sourcesIn = (text) => text.match(/(?:native|bindings)\/[\w./-]+\.cpp/g) ?? [];

/** Source files and flags (per variable, one list per compiler family in order) of a CMakeLists.txt. */
export function readCMake(text) {
  const sources = [];
  const flags = {};
  for (const [, name, body] of withoutComments(text).matchAll(/set\(\s*(LO_\w*(?:SOURCES|FLAGS))\s+([^)]*)\)/g)) {
    if (name.endsWith('SOURCES')) sources.push(...sourcesIn(body));
    else (flags[name] ??= []).push(body.trim().split(/\s+/).join(' '));
  }
  return { sources, flags };
}

/** The same of a binding.gyp; its flag variables have the names of CMake's in lower case. */
export function readGyp(text) {
  const sources = [];
  const flags = {};
  for (const [, name, body] of withoutComments(text).matchAll(/'(sources|lo_\w*flags)':\s*\[([^\]]*)\]/g)) {
    if (name === 'sources') sources.push(...sourcesIn(body));
    else (flags[name.toUpperCase()] ??= []).push([...body.matchAll(/'([^']*)'/g)].map((m) => m[1]).join(' '));
  }
  return { sources, flags };
}

/** Differences between the two builds and the .cpp files that exist, as sentences. */
export function differences({ cmake, gyp, files }) {
  const found = [];
  for (const [build, { sources }] of [
    ['CMakeLists.txt', cmake],
    ['binding.gyp', gyp],
  ]) {
    for (const file of files) if (!sources.includes(file)) found.push(`${file} is not in ${build}`);
    for (const file of new Set(sources)) {
      if (!files.includes(file)) found.push(`${build} names ${file}, which does not exist`);
      if (sources.indexOf(file) !== sources.lastIndexOf(file)) found.push(`${build} names ${file} more than once`);
    }
  }
  for (const name of new Set([...Object.keys(cmake.flags), ...Object.keys(gyp.flags)])) {
    const [a, b] = [cmake.flags[name] ?? [], gyp.flags[name] ?? []].map((lists) => lists.join(' | '));
    if (a !== b) found.push(`${name} differs: CMakeLists.txt has '${a}', binding.gyp has '${b}'`);
  }
  return found;
}

/** Differences in the tree at `root`. */
export function checkTree(root) {
  const files = ['native', 'bindings'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.cpp'))
      .map((name) => `${folder}/${name}`),
  );
  return differences({
    cmake: readCMake(readFileSync(join(root, 'CMakeLists.txt'), 'utf8')),
    gyp: readGyp(readFileSync(join(root, 'binding.gyp'), 'utf8')),
    files,
  });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const found = checkTree(fileURLToPath(new URL('..', import.meta.url)));
  for (const difference of found) console.error(difference);
  if (found.length > 0) process.exitCode = 1;
  else console.log('CMakeLists.txt and binding.gyp compile the same files with the same flags');
}
