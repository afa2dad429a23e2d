import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Tests and examples import the package by its own name, and get the sources.
    alias: [
      { find: /^learned-optimizer$/, replacement: source('./lib/index.ts') },
      { find: /^learned-optimizer\/tfjs$/, replacement: source('./lib/tfjs/index.ts') },
      { find: /^learned-optimizer\/problems$/, replacement: source('./lib/problems/index.ts') },
      { find: /^learned-optimizer\/meta$/, replacement: source('./lib/metaTraining.ts') },
    ],
  },
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    // Child processes, not threads: native addons and tfjs backends keep state per process.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
