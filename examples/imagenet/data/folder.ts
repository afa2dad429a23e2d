import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LayoutError } from './source';
import type { ImageSet, ImageSource } from './source';

/** Extensions that count as images, in any case; what a file really is its first bytes say. */
const IMAGE = /\.(jpe?g|png)$/i;
/** Names of the folder to evaluate on, the first that exists. */
const EVALUATION_FOLDERS = ['val', 'validation', 'test'] as const;

/** In the order of their characters' codes: readdir's order differs between file systems. */
function sortedNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

const isFolder = (path: string): boolean => statSync(path).isDirectory();

/** Classes with their images, both sorted by name. */
function listClasses(folder: string): Map<string, string[]> {
  const names = sortedNames(folder);
  const classes = new Map<string, string[]>();
  for (const name of names) {
    const path = join(folder, name);
    if (!isFolder(path)) continue;
    const images = sortedNames(path).filter((file) => IMAGE.test(file));
    if (images.length === 0) {
      throw new LayoutError(
        `${path}: no .jpg, .jpeg or .png files, expected the images of class '${name}'; remove the folder if there are none`,
      );
    }
    classes.set(
      name,
      images.map((file) => join(path, file)),
    );
  }
  if (classes.size === 0) {
    const loose = names.filter((name) => IMAGE.test(name)).length;
    const found = loose > 0 ? `${loose} images without a class` : 'no folders';
    throw new LayoutError(`${folder}: ${found}, expected one folder per class with its images in it`);
  }
  return classes;
}

function imageSet(classes: ReadonlyMap<string, readonly string[]>, names: readonly string[]): ImageSet {
  const paths: string[] = [];
  const labels: number[] = [];
  for (const [name, images] of classes) {
    const label = names.indexOf(name);
    for (const path of images) {
      paths.push(path);
      labels.push(label);
    }
  }
  return { store: { kind: 'files', paths }, labels: Int32Array.from(labels) };
}

/**
 * Lists `train/<class>/` and `val/<class>/` (or validation, test). Classes are numbered in the order of their names, so
 * that ImageNet's get their usual numbers. Files that are no images are passed over.
 * @throws {LayoutError} for a class without images, images without a class, and classes to evaluate that are not trained
 */
export function readImageFolder(folder: string): ImageSource {
  const training = listClasses(join(folder, 'train'));
  const classes = [...training.keys()];
  if (classes.length < 2) {
    throw new LayoutError(`${join(folder, 'train')}: one class, '${classes[0]}', expected at least 2`);
  }
  const train = imageSet(training, classes);
  const evaluationFolder = EVALUATION_FOLDERS.map((name) => join(folder, name)).find((path) =>
    statSync(path, { throwIfNoEntry: false })?.isDirectory(),
  );
  let evaluation: ImageSet | undefined;
  if (evaluationFolder !== undefined) {
    const listed = listClasses(evaluationFolder);
    const unknown = [...listed.keys()].filter((name) => !training.has(name));
    if (unknown.length > 0) {
      throw new LayoutError(
        `${evaluationFolder}: ${unknown.length === 1 ? 'class' : 'classes'} ${unknown.slice(0, 5).join(', ')} without a folder in ${join(folder, 'train')}`,
      );
    }
    evaluation = imageSet(listed, classes);
  }
  const count = (set: ImageSet): string => set.labels.length.toLocaleString('en');
  return {
    kind: 'folder',
    classes,
    train,
    evaluation,
    provenance:
      `${count(train)} images of ${classes.length.toLocaleString('en')} classes in ${join(folder, 'train')}, ` +
      (evaluation ? `${count(evaluation)} to evaluate in ${evaluationFolder}` : 'none to evaluate'),
  };
}
