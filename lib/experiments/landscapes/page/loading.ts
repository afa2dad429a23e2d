import { RECEIVER, type PageLandscape, type PageSetting, type Receiver } from '../pageData';

let received: PageSetting | PageLandscape | undefined;

/** Makes the function calls of the files of data reach this page. */
export function installReceiver(): void {
  const receiver: Receiver = {
    setting: (value) => (received = value),
    landscape: (value) => (received = value),
  };
  (globalThis as unknown as Record<string, Receiver>)[RECEIVER] = receiver;
}

/**
 * Runs a file of data as a classic script, which browsers allow from file://, and returns what it holds.
 * @throws Error naming the file when it cannot be read
 */
function load(name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.src = `data/${name}.js`;
    // The event comes right after the script has run: what was received last is this file's.
    element.onload = () => {
      resolve(received);
      element.remove();
    };
    element.onerror = () => reject(new Error(`data/${name}.js: expected a file beside this page, found none`));
    document.head.append(element);
  });
}

const landscapes = new Map<string, Promise<PageLandscape>>();

export const loadSetting = (): Promise<PageSetting> => load('setting') as Promise<PageSetting>;

/** Every landscape is loaded once, when it is first looked at. */
export function loadLandscape(slug: string): Promise<PageLandscape> {
  if (!landscapes.has(slug)) landscapes.set(slug, load(slug) as Promise<PageLandscape>);
  return landscapes.get(slug)!;
}
