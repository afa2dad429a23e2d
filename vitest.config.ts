import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Tests of half a minute and more, for `npm run test:slow`: `npm test` is to stay below ten minutes on two cores. */
export const SLOW = [
  'test/bindings/leak.test.ts',
  'test/bindings/workers.test.ts',
  'test/cli/experiment.test.ts',
  'test/examples/imagenet/*.test.ts',
  'test/experiments/ablation.test.ts',
  'test/experiments/experiment.test.ts',
  'test/experiments/landscapesPage.test.ts',
  'test/package/package.test.ts',
];

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
    exclude: [...configDefaults.exclude, ...SLOW],
    // Child processes, not threads: native addons and tfjs backends keep state per process.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
