import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSource } from '../../../examples/imagenet/data/source';
import { idx, write, writeIdxFolder } from './images';

const dir = mkdtempSync(join(tmpdir(), 'imagenet-layout-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** A folder with these files; a name that ends with / is an empty folder. */
function tree(name: string, ...files: string[]): string {
  const root = join(dir, name);
  mkdirSync(root);
  for (const file of files) {
    if (file.endsWith('/')) mkdirSync(join(root, file), { recursive: true });
    else write(join(root, file), 'x');
  }
  return root;
}

describe('folders of images', () => {
  it('are listed by name, other files passed over', async () => {
    const root = tree(
      'good',
      'train/b/2.JPEG',
      'train/b/10.jpg',
      'train/b/notes.txt',
      'train/b/.hidden.jpg',
      'train/a/1.png',
      'train/README',
      'val/b/1.jpeg',
      'meta.mat',
    );
    const source = await openSource(root);
    const paths = (...names: string[]): string[] => names.map((name) => join(root, name));
    expect(source.classes).toEqual(['a', 'b']);
    expect(source.train.store).toEqual({
      kind: 'files',
      paths: paths('train/a/1.png', 'train/b/10.jpg', 'train/b/2.JPEG'),
    });
    expect([...source.train.labels]).toEqual([0, 1, 1]);
    expect([...source.evaluation!.labels]).toEqual([1]);
    expect(source.provenance).toContain('3 images of 2 classes');
  });

  it('need no images to evaluate', async () => {
    const source = await openSource(tree('noval', 'train/a/1.png', 'train/b/1.png'));
    expect(source.evaluation).toBeUndefined();
  });

  it.each([
    ['absent', undefined, /there is no such folder; expected either train\/<class>/],
    ['nothing', [], /found nothing; expected either train/],
    ['other', ['a/1.jpg', 'b/1.jpg'], /found a, b; expected either train/],
    ['empty', ['train/cat/1.jpg', 'train/dog/'], /train\/dog: no \.jpg.*class 'dog'/],
    ['no-images', ['train/cat/1.jpg', 'train/dog/1.gif'], /train\/dog: no \.jpg/],
    ['loose', ['train/1.jpg', 'train/2.jpg'], /train: 2 images without a class, expected one folder per class/],
    ['bare', ['train/'], /train: no folders, expected one folder per class/],
    ['single', ['train/cat/1.jpg'], /train: one class, 'cat', expected at least 2/],
    ['unknown', ['train/a/1.jpg', 'train/b/1.jpg', 'val/c/1.jpg'], /val: class c without a folder in .*train/],
  ])('are refused: %s', async (name, files, message) => {
    const root = files === undefined ? join(dir, name) : tree(name, ...files);
    await expect(openSource(root)).rejects.toThrow(message);
  });
});

describe('idx files', () => {
  it('of both pairs train and evaluate', async () => {
    const root = join(dir, 'both');
    writeIdxFolder(root, 6);
    writeIdxFolder(root, 4, 't10k');
    const { train, evaluation } = await openSource(root);
    expect([train.labels.length, evaluation!.labels.length]).toEqual([6, 4]);
  });

  it.each([
    ['labels missing', { 'train-images-idx3-ubyte': idx([2, 1, 1], new Uint8Array(2)) }, /expected its labels in/],
    [
      'labels of another number',
      {
        'train-images-idx3-ubyte': idx([2, 1, 1], new Uint8Array(2)),
        'train-labels-idx1-ubyte': idx([3], new Uint8Array(3)),
      },
      /shape \[3\], expected unsigned bytes \[2\]/,
    ],
    [
      'no images but vectors',
      {
        'train-images-idx3-ubyte': idx([2, 1], new Uint8Array(2)),
        'train-labels-idx1-ubyte': idx([2], new Uint8Array(2)),
      },
      /expected unsigned bytes \[count, height, width\]/,
    ],
    [
      'one image',
      {
        'train-images-idx3-ubyte': idx([1, 1, 1], new Uint8Array(1)),
        'train-labels-idx1-ubyte': idx([1], new Uint8Array(1)),
      },
      /1 image, expected at least 2/,
    ],
    ['another name', { 'mine-images-idx3-ubyte': idx([1, 1, 1], new Uint8Array(1)) }, /expected train-images/],
  ])('are refused: %s', async (name, files, message) => {
    const root = join(dir, name);
    for (const [file, bytes] of Object.entries(files)) write(join(root, file), bytes);
    await expect(openSource(root)).rejects.toThrow(message);
  });
});
