import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { sha256OfFile } from '../sha256';
import { downloadFile, DownloadError, type DownloadProgress } from './download';
import { IdxFormatError } from './idx';
import { readIdxPair } from './idxPair';
import { slice, type ImageDataset, type LabelledImages } from './images';

export type MnistName = 'mnist' | 'fashion-mnist';

/** Environment variable with base URLs to download from, separated by spaces or commas. */
export const MIRRORS_VARIABLE = 'LEARNED_OPTIMIZER_MIRRORS';

type FileName =
  | 'train-images-idx3-ubyte.gz'
  | 'train-labels-idx1-ubyte.gz'
  | 't10k-images-idx3-ubyte.gz'
  | 't10k-labels-idx1-ubyte.gz';

interface MnistSource {
  readonly title: string;
  readonly mirrors: readonly string[];
  readonly sha256: Readonly<Record<FileName, string>>;
  readonly classes: readonly string[];
}

const SOURCES: Readonly<Record<MnistName, MnistSource>> = {
  mnist: {
    title: 'MNIST',
    mirrors: ['https://ossci-datasets.s3.amazonaws.com/mnist/', 'https://storage.googleapis.com/cvdf-datasets/mnist/'],
    sha256: {
      'train-images-idx3-ubyte.gz': '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
      'train-labels-idx1-ubyte.gz': '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
      't10k-images-idx3-ubyte.gz': '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
      't10k-labels-idx1-ubyte.gz': 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
    },
    classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  },
  'fashion-mnist': {
    title: 'Fashion-MNIST',
    mirrors: [
      'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/',
      'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
    ],
    sha256: {
      'train-images-idx3-ubyte.gz': '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84',
      'train-labels-idx1-ubyte.gz': 'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845',
      't10k-images-idx3-ubyte.gz': '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073',
      't10k-labels-idx1-ubyte.gz': '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5',
    },
    classes: ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
  },
};

/** Labels first: after an interruption some labels are without images, which shows that files are missing. */
const DOWNLOAD_ORDER: readonly FileName[] = [
  'train-labels-idx1-ubyte.gz',
  't10k-labels-idx1-ubyte.gz',
  'train-images-idx3-ubyte.gz',
  't10k-images-idx3-ubyte.gz',
];

export interface MnistOptions {
  readonly dataset: MnistName;
  /** Folder with the idx or idx.gz files; downloads go there too. Default: a folder of the user's cache. */
  readonly dataDir?: string;
  /** Base URLs, tried in order; `{dataset}` in them becomes the data set's name. Default: {@link MIRRORS_VARIABLE}, then the public ones. */
  readonly mirrors?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Milliseconds before a failed download is tried again. Default 500. */
  readonly retryDelay?: number;
  /** Expected SHA-256 per file name, for mirrors of files other than the published ones. */
  readonly sha256?: Readonly<Record<string, string>>;
}

/** Where downloads go when no folder is given. */
export function defaultDataDir(dataset: MnistName): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'learned-optimizer', dataset);
}

/** Base URLs to download from: the option, else the environment variable, else the public mirrors. */
function mirrorsOf(options: MnistOptions): string[] {
  const fromEnvironment = (process.env[MIRRORS_VARIABLE] ?? '').split(/[\s,]+/).filter(Boolean);
  const origin = options.mirrors?.length ? 'mirrors' : fromEnvironment.length ? MIRRORS_VARIABLE : 'public mirrors';
  const chosen = options.mirrors?.length
    ? options.mirrors
    : fromEnvironment.length
      ? fromEnvironment
      : SOURCES[options.dataset].mirrors;
  return chosen.map((mirror) => {
    const base = mirror.replaceAll('{dataset}', options.dataset);
    if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
      throw new TypeError(`${origin}: expected http(s) URLs of folders, got ${JSON.stringify(mirror)}`);
    }
    return base.endsWith('/') ? base : `${base}/`;
  });
}

/** Path of each of the four files that the folder holds, compressed or not, and whether a download was cut off. */
async function findFiles(dir: string): Promise<{ paths: Map<FileName, string>; interrupted: boolean }> {
  const entries = new Set(
    await readdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    }),
  );
  const paths = new Map<FileName, string>();
  for (const file of DOWNLOAD_ORDER) {
    const found = [file, file.replace(/\.gz$/, '')].find((name) => entries.has(name));
    if (found) paths.set(file, join(dir, found));
  }
  const half = (['train', 't10k'] as const).some(
    (part) => paths.has(`${part}-labels-idx1-ubyte.gz`) !== paths.has(`${part}-images-idx3-ubyte.gz`),
  );
  return { paths, interrupted: half || DOWNLOAD_ORDER.some((file) => entries.has(`${file}.part`)) };
}

async function downloadMissing(dir: string, paths: Map<FileName, string>, options: MnistOptions): Promise<void> {
  const { title, sha256 } = SOURCES[options.dataset];
  const mirrors = mirrorsOf(options);
  for (const file of DOWNLOAD_ORDER) {
    if (paths.has(file)) continue;
    const destination = join(dir, file);
    try {
      await downloadFile({
        urls: mirrors.map((mirror) => new URL(file, mirror).href),
        destination,
        sha256: options.sha256?.[file] ?? sha256[file],
        signal: options.signal,
        onProgress: options.onProgress,
        retryDelay: options.retryDelay,
      });
    } catch (error) {
      if (!(error instanceof DownloadError)) throw error;
      throw new Error(
        `${title} is not complete in ${dir} and ${error.message}\n` +
          `Either put the files ${DOWNLOAD_ORDER.join(', ')} there yourself (those of t10k are enough), ` +
          `or name a mirror that this machine reaches with --mirror URL or ${MIRRORS_VARIABLE}=URL. ` +
          `The digits data set (--dataset digits) needs no download.`,
        { cause: error },
      );
    }
    paths.set(file, destination);
  }
}

/** MNIST and Fashion-MNIST have the same file names: a folder of the one must not pass for the other. */
async function checkIdentity(path: string, file: FileName, dataset: MnistName): Promise<void> {
  const other: MnistName = dataset === 'mnist' ? 'fashion-mnist' : 'mnist';
  if ((await sha256OfFile(path)) === SOURCES[other].sha256[file]) {
    throw new Error(
      `${path} belongs to ${SOURCES[other].title}, not to ${SOURCES[dataset].title}: use --dataset ${other} or another --data-dir`,
    );
  }
}

async function readPair(
  part: 'train' | 't10k',
  paths: Map<FileName, string>,
  dataset: MnistName,
): Promise<LabelledImages> {
  const imagesPath = paths.get(`${part}-images-idx3-ubyte.gz`)!;
  const labelsPath = paths.get(`${part}-labels-idx1-ubyte.gz`)!;
  await checkIdentity(imagesPath, `${part}-images-idx3-ubyte.gz`, dataset);
  const { pixels, labels, count, height, width } = await readIdxPair(imagesPath, labelsPath);
  const classes = SOURCES[dataset].classes.length;
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw new IdxFormatError(`${labelsPath}: label ${labels[wrong]} at index ${wrong}, expected 0–${classes - 1}`);
  }
  return { pixels, labels, count, height, width, maximum: 255 };
}

/**
 * Loads MNIST (LeCun, Cortes & Burges) or Fashion-MNIST (Xiao, Rasul & Vollgraf, arXiv 1708.07747) from idx or idx.gz files in a
 * folder. With only the train or only the t10k pair there, its first four fifths train and the rest tests. With none there, or
 * with an image file that lacks its labels (or the reverse), the missing files are downloaded.
 * @throws {IdxFormatError} if a file is damaged; {Error} with the way out if files are missing and cannot be downloaded.
 */
export async function loadMnist(options: MnistOptions): Promise<ImageDataset> {
  const source = SOURCES[options.dataset];
  if (!source) {
    throw new RangeError(
      `dataset: expected ${Object.keys(SOURCES).join(' or ')}, got ${JSON.stringify(options.dataset)}`,
    );
  }
  const dir = options.dataDir ?? defaultDataDir(options.dataset);
  const { paths, interrupted } = await findFiles(dir);
  if (paths.size === 0 || interrupted) await downloadMissing(dir, paths, options);

  const has = (part: 'train' | 't10k'): boolean => paths.has(`${part}-images-idx3-ubyte.gz`);
  const pairs = (['train', 't10k'] as const).filter(has);
  const sets = await Promise.all(pairs.map((part) => readPair(part, paths, options.dataset)));
  const count = (images: LabelledImages): string => images.count.toLocaleString('en');
  let train: LabelledImages;
  let test: LabelledImages;
  let split: string;
  if (sets.length === 2) {
    [train, test] = sets;
    if (train.height !== test.height || train.width !== test.width) {
      throw new IdxFormatError(
        `${dir}: training images are ${train.height}×${train.width}, test images ${test.height}×${test.width}; expected one size`,
      );
    }
    split = `the usual split into ${count(train)} to train and ${count(test)} to test`;
  } else {
    const all = sets[0];
    if (all.count < 2) {
      throw new RangeError(`${dir}: ${all.count} image in the ${pairs[0]} files, expected at least 2 to split`);
    }
    const border = Math.floor(all.count * 0.8);
    train = slice(all, 0, border);
    test = slice(all, border, all.count);
    split = `only the ${pairs[0]} files are there, so their first ${count(train)} images train and the last ${count(test)} test: not comparable with published test accuracies`;
  }
  return {
    name: options.dataset,
    title: source.title,
    classes: source.classes,
    train,
    test,
    provenance: `${source.title} from ${dir}; ${split}`,
  };
}
