/** Where a thread begins: Node cannot load TypeScript by itself. */
import { register } from 'tsx/esm/api';

register();
await import('./worker.ts');
