import { defineConfig, type Options } from 'tsup';

const shared: Options = {
  outDir: 'dist',
  target: 'node20',
  platform: 'node',
  silent: true,
  // Chunks shared by the entries: one addon, and one class for `instanceof`, whichever entry a program imports. All files
  // lie in dist/ itself, because the code finds the package's root from the folder of its own file.
  splitting: true,
  // The package depends on none of these: charts, TensorFlow.js and its backends are used where they are installed.
  external: [/^@tensorflow\//, /^vega/, '@resvg/resvg-js'],
};

const entries = {
  index: 'lib/index.ts',
  tfjs: 'lib/tfjs/index.ts',
  problems: 'lib/problems/index.ts',
  meta: 'lib/metaTraining.ts',
};

/**
 * The page that `learned-optimizer landscapes` writes: one classic script, since browsers load no modules from file://, and
 * beside it what public/ holds.
 */
export const landscapesPage: Options = {
  outDir: 'dist',
  entry: { 'landscapes/page': 'lib/experiments/landscapes/page/main.ts' },
  publicDir: 'lib/experiments/landscapes/public',
  format: 'iife',
  outExtension: () => ({ js: '.js' }),
  target: 'es2022',
  platform: 'browser',
  tsconfig: 'lib/experiments/landscapes/page/tsconfig.json',
  silent: true,
};

export default defineConfig([
  {
    ...shared,
    format: 'esm',
    entry: {
      ...entries,
      cli: 'lib/cli/main.ts',
      metaWorker: 'lib/meta/worker.ts',
      clusterComputeThread: 'lib/cluster/computeThread.ts',
    },
  },
  // `shims` gives CommonJS an import.meta.url.
  { ...shared, format: 'cjs', entry: entries, shims: true },
  { ...shared, format: ['esm', 'cjs'], entry: entries, dts: { only: true } },
  landscapesPage,
]);
