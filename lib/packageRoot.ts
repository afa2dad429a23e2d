import { fileURLToPath } from 'node:url';

/** Root folder of the package: the parent of this file's folder, in the sources (`lib/`) and in the bundle (`dist/`) alike. */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url));
