import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a Chromium: CHROMIUM_PATH, else the first on PATH. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env['CHROMIUM_PATH']) return env['CHROMIUM_PATH'];
  const folders = (env['PATH'] ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/**
 * Whether tests in a browser are skipped: where there is no Chromium, which a line says.
 * @throws Error if REQUIRE_CHROMIUM is 1 and there is none
 */
export function skipsBrowser(): boolean {
  if (findChromium() !== undefined) return false;
  const how = `install one of ${NAMES.join(', ')} (Debian: apt-get install chromium) or set CHROMIUM_PATH to its program`;
  if (process.env['REQUIRE_CHROMIUM'] === '1')
    throw new Error(`REQUIRE_CHROMIUM is 1 and there is no Chromium: ${how}`);
  console.warn(`Tests in a browser are skipped: there is no Chromium here. To run them, ${how}.`);
  return true;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
