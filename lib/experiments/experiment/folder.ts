import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../atomicFile';
import { renderPart } from './charts';
import { seriesCsv, tableCsv } from './csv';
import type { Experiment } from './experiment';
import type { ExperimentResult } from './result';

const FORMAT = 'learned-optimizer-experiment';

/** Where and with what an experiment ran. */
export interface Provenance {
  /** That repeats it. */
  readonly command: string;
  /** Of the package. */
  readonly version: string;
  readonly weights: string;
  readonly machine: string;
}

/** What `data.json` holds. The same runs give the same bytes. */
export interface ExperimentDocument extends ExperimentResult, Provenance {
  readonly format: typeof FORMAT;
  readonly name: string;
  readonly title: string;
  readonly figure: string;
  readonly claim: string;
  readonly method: string;
  /** Nothing was run: weights and machine are those of the drawing. */
  readonly drawsMeasurements: boolean;
  /** The weights were made by the experiment, and those of the provenance had no part in it. */
  readonly makesWeights: boolean;
  /** Made with `--quick`: a look, not a result. */
  readonly quick: boolean;
}

export interface WrittenExperiment {
  readonly document: ExperimentDocument;
  /** Paths of all files, data first. */
  readonly files: readonly string[];
  /** False if the PNGs lack their text because the machine has no fonts. */
  readonly pngHasText: boolean;
}

/** The picture's file in the experiment's folder. */
export const pictureFile = (part: { readonly name: string }, kind: 'svg' | 'png'): string => `${part.name}.${kind}`;

/**
 * Writes an experiment's folder: `data.json`, `data.csv` (all series), a CSV of every table, and every picture as SVG and PNG.
 * @param folder of the experiment; made if it does not exist
 * @throws {ChartPackagesError} if a drawing package is missing and pictures are wanted
 */
export async function writeExperiment(
  folder: string,
  experiment: Experiment,
  result: ExperimentResult,
  provenance: Provenance,
  options: { readonly quick: boolean; readonly pictures: boolean },
): Promise<WrittenExperiment> {
  const { name, title, figure, claim, method, drawsMeasurements = false, makesWeights = false } = experiment;
  const quick = options.quick && !drawsMeasurements;
  const facts = { name, title, figure, claim, method, drawsMeasurements, makesWeights, quick };
  const document = { format: FORMAT, ...facts, ...provenance, ...result } as const;
  const files: string[] = [];
  const write = (file: string, content: string | Uint8Array): void => {
    files.push(join(folder, file));
    writeFileAtomic(join(folder, file), typeof content === 'string' ? Buffer.from(content) : content);
  };
  write('data.json', `${JSON.stringify(document, null, 1)}\n`);
  write('data.csv', seriesCsv(result.parts));
  let pngHasText = true;
  for (const part of result.parts) {
    if (part.kind === 'table') write(`${part.name}.csv`, tableCsv(part));
    else if (options.pictures) {
      const { svg, png, hasText } = await renderPart(part, quick);
      pngHasText &&= hasText;
      write(pictureFile(part, 'svg'), svg);
      write(pictureFile(part, 'png'), png);
    }
  }
  return { document, files, pngHasText };
}

/** A finished experiment with its pictures, as the report shows it. */
export interface FinishedExperiment {
  readonly document: ExperimentDocument;
  /** SVG of each chart that was drawn, by the name of its part. */
  readonly pictures: ReadonlyMap<string, string>;
}

/**
 * The experiments whose data lie in the folder, in the order of the names given, unknown ones last.
 * @throws {RangeError} naming the file if a `data.json` holds something else
 */
export function readExperiments(out: string, order: readonly string[]): FinishedExperiment[] {
  const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return readdirSync(out, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(out, entry.name, 'data.json')))
    .map(({ name }) => readExperiment(join(out, name)))
    .sort((a, b) => place(a.document.name) - place(b.document.name) || (a.document.name < b.document.name ? -1 : 1));
}

function readExperiment(folder: string): FinishedExperiment {
  const path = join(folder, 'data.json');
  let document: ExperimentDocument;
  try {
    document = JSON.parse(readFileSync(path, 'utf8')) as ExperimentDocument;
  } catch (error) {
    throw new RangeError(`${path}: expected JSON, got ${(error as Error).message}`, { cause: error });
  }
  if (document.format !== FORMAT || !Array.isArray(document.parts)) {
    throw new RangeError(`${path}: expected a document of format '${FORMAT}'`);
  }
  const pictures = new Map<string, string>();
  for (const part of document.parts) {
    const picture = join(folder, pictureFile(part, 'svg'));
    if (part.kind !== 'table' && existsSync(picture)) pictures.set(part.name, readFileSync(picture, 'utf8'));
  }
  return { document, pictures };
}
