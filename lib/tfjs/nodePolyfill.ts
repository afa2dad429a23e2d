import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Puts back the two functions of `node:util` that tfjs-node 4.22 calls and that Node removed in version 23. Where they
 * still exist nothing changes.
 */
export function restoreUtilFunctions(): void {
  const util = require('node:util') as Record<string, unknown>;
  util['isNullOrUndefined'] ??= (value: unknown): boolean => value === null || value === undefined;
  util['isArray'] ??= Array.isArray;
}
