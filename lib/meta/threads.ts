import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

/**
 * Starts a thread. In the sources it is a TypeScript file, which needs tsx; in the bundle a JavaScript file beside this one.
 * @param bundled name of the file in the bundle
 * @param source URL of the TypeScript file
 */
export function startThread(bundled: string, source: string, workerData?: unknown): Worker {
  const script = new URL(`./${bundled}`, import.meta.url);
  if (existsSync(fileURLToPath(script))) return new Worker(script, { workerData });
  const bootstrap = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(source)}); });`;
  return new Worker(bootstrap, { eval: true, workerData });
}

/** Sends a request and waits for its reply. A thread takes one request at a time. */
export function ask<Reply>(thread: Worker, request: unknown): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      thread.off('message', onMessage);
      thread.off('error', onError);
      thread.off('exit', onExit);
    };
    const onMessage = (message: Reply): void => (settle(), resolve(message));
    const onError = (error: Error): void => (settle(), reject(error));
    const onExit = (code: number): void => (
      settle(),
      reject(new Error(`a meta-training thread ended with code ${code}`))
    );
    thread.on('message', onMessage);
    thread.on('error', onError);
    thread.on('exit', onExit);
    thread.postMessage(request);
  });
}
