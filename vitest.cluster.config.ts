import { defineConfig, mergeConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/** `npm run test:cluster`: faults of a cluster, each against a server that the test starts. They take minutes. */
const config = mergeConfig(shared, defineConfig({ test: { testTimeout: 300_000 } }));
config.test!.include = ['test/cluster/faults/*.faults.ts'];
// One after the other: they are about time.
config.test!.maxWorkers = 1;
export default config;
