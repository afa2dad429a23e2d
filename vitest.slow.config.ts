import { configDefaults, mergeConfig } from 'vitest/config';
import shared, { SLOW } from './vitest.config.ts';

/** `npm run test:slow`: what `npm test` leaves out. */
const config = mergeConfig(shared, {});
config.test!.include = SLOW;
config.test!.exclude = configDefaults.exclude;
export default config;
