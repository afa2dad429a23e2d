import { access, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { info } from '../../optimizer/info';
import { packageRoot } from '../../packageRoot';
import { heldInitialRate } from '../../optimizer/schedule';
import { resolveOptions } from '../../optimizer/options';
import { chosenLandscapes, pageLandscape, pageSetting, SLIDER_RATES, type LandscapesSetting } from './data';
import { RECEIVER, type PageLandscape } from './pageData';
import { STARTS_PER_SIDE } from './trajectories';

/** The files that are the same in every page; `npm run build:js` makes them from page/ and public/. */
const ASSETS = ['index.html', 'style.css', 'page.js'] as const;

export interface PageProgress {
  readonly landscape: string;
  /** Trajectories of this landscape done, and in all. */
  readonly done: number;
  readonly total: number;
}

export interface WritePageOptions extends LandscapesSetting {
  /** Made if it does not exist. */
  readonly out: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PageProgress) => void;
  /** Folder with the page's own files; default: those that come with the package. */
  readonly assets?: string;
}

/** What was computed for one landscape. */
export interface LandscapeSummary {
  readonly slug: string;
  readonly starts: PageLandscape['starts'];
  readonly tuned: PageLandscape['tuned'];
}

export interface WrittenPage {
  /** The page to open. */
  readonly index: string;
  readonly files: readonly string[];
  readonly landscapes: readonly LandscapeSummary[];
}

const script = (method: string, value: unknown): string => `${RECEIVER}.${method}(${JSON.stringify(value)});\n`;

/**
 * Computes all trajectories and writes the page: `index.html`, its style and script, and `data/`, one file for every
 * landscape. The same setting gives the same bytes on the same kind of machine.
 * @throws {RangeError} for a landscape that does not exist; the signal's reason when aborted; Error when the package was
 * not built
 */
export async function writeLandscapesPage(options: WritePageOptions): Promise<WrittenPage> {
  const { out, signal, onProgress, assets = join(packageRoot, 'dist', 'landscapes') } = options;
  const landscapes = chosenLandscapes(options);
  for (const name of ASSETS) {
    await access(join(assets, name)).catch((cause: unknown) => {
      throw new Error(`assets: expected ${name} in ${assets}, found none; in a checkout run npm run build:js`, {
        cause,
      });
    });
  }
  const { weights } = resolveOptions(options.optimizer);
  const rates = new Set(SLIDER_RATES.map((rate) => heldInitialRate(weights.metadata, rate)));
  const total = STARTS_PER_SIDE ** 2 * rates.size;
  await mkdir(join(out, 'data'), { recursive: true });
  const files: string[] = [];
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(join(out, name), text);
    files.push(join(out, name));
  };

  const summaries: LandscapeSummary[] = [];
  for (const landscape of landscapes) {
    let done = 0;
    const data = await pageLandscape(landscape, options, async () => {
      onProgress?.({ landscape: landscape.name, done: ++done, total });
      // Lets Ctrl-C and the progress bar through.
      await nextTurn();
      signal?.throwIfAborted();
    });
    await write(`data/${landscape.slug}.js`, script('landscape', data));
    summaries.push({ slug: data.slug, starts: data.starts, tuned: data.tuned });
  }
  const setting = { ...pageSetting(options, info().version), landscapes: landscapes.map(({ slug }) => slug) };
  await write('data/setting.js', script('setting', setting));
  for (const name of ASSETS) {
    await copyFile(join(assets, name), join(out, name));
    files.push(join(out, name));
  }
  return { index: join(out, 'index.html'), files, landscapes: summaries };
}
