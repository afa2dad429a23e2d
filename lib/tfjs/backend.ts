import type * as tf from '@tensorflow/tfjs';
import { restoreUtilFunctions } from './nodePolyfill';

/** The TensorFlow.js namespace, with layers. */
export type TensorFlow = typeof tf;

export type BackendName = 'node' | 'wasm' | 'cpu';

/** TensorFlow.js with a backend that is ready for use. */
export interface Backend {
  readonly tf: TensorFlow;
  readonly name: BackendName;
  /** For a reader: backend and version. */
  readonly description: string;
}

/** The fastest first. */
const ORDER: readonly BackendName[] = ['node', 'wasm', 'cpu'];

const INSTALL: Readonly<Record<BackendName, string>> = {
  node: 'npm install @tensorflow/tfjs-node (in a checkout: npm run setup:tfjs-node)',
  wasm: 'npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm',
  cpu: 'npm install @tensorflow/tfjs',
};

/** A CommonJS module imported from ESM has its exports under `default` where the names cannot be seen statically. */
function namespace(module: unknown): TensorFlow {
  const imported = module as TensorFlow & { readonly default?: TensorFlow };
  return typeof imported.sequential === 'function' ? imported : imported.default!;
}

async function loadNode(): Promise<Backend> {
  restoreUtilFunctions();
  const name = '@tensorflow/tfjs-node';
  const tf = namespace(await import(name));
  if (!(await tf.setBackend('tensorflow'))) throw new Error('the backend `tensorflow` did not start');
  const { binding } = tf.backend() as unknown as { readonly binding?: { readonly TF_Version?: string } };
  const library = binding?.TF_Version === undefined ? '' : `, TensorFlow ${binding.TF_Version}`;
  return { tf, name: 'node', description: `tfjs-node ${tf.version.tfjs}${library}` };
}

async function loadWasm(): Promise<Backend> {
  const tf = namespace(await import('@tensorflow/tfjs'));
  await import('@tensorflow/tfjs-backend-wasm');
  if (!(await tf.setBackend('wasm'))) throw new Error('the backend `wasm` did not start');
  return { tf, name: 'wasm', description: `tfjs wasm ${tf.version.tfjs}` };
}

async function loadCpu(): Promise<Backend> {
  const tf = namespace(await import('@tensorflow/tfjs'));
  if (!(await tf.setBackend('cpu'))) throw new Error('the backend `cpu` did not start');
  return { tf, name: 'cpu', description: `tfjs cpu ${tf.version.tfjs}` };
}

const LOADERS: Readonly<Record<BackendName, () => Promise<Backend>>> = { node: loadNode, wasm: loadWasm, cpu: loadCpu };

/**
 * Loads TensorFlow.js with the backend asked for, or with the fastest that is installed: tfjs-node, wasm, cpu.
 * @throws Error that says what was tried, why it failed and which command installs it
 */
export async function loadBackend(preferred?: BackendName): Promise<Backend> {
  const failures: string[] = [];
  for (const name of preferred === undefined ? ORDER : [preferred]) {
    try {
      return await LOADERS[name]();
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
      failures.push(`  - ${name}: ${reason}\n    install it with: ${INSTALL[name]}`);
    }
  }
  throw new Error(`TensorFlow.js could not be loaded. Tried:\n${failures.join('\n')}`);
}
