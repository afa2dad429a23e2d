import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join, basename } from 'node:path';
import { randomBytes } from 'node:crypto';

/** Node writes less than 2 GiB at a time. */
const MAX_WRITE = 2 ** 30;

/**
 * Writes a file so that a reader, or a crash at any moment, sees either the old contents or the new, never a part:
 * temporary file in the same folder, fsync, rename, fsync of the folder.
 * @param fill writes the contents to the file descriptor that it gets; where it throws, the old file stays
 */
export function replaceFileAtomic(path: string, fill: (file: number) => void): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true });
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    const file = openSync(temporary, 'wx');
    try {
      fill(file);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(folder);
}

/** Writes all bytes at the file's position. */
export function writeFully(file: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length)
    written += writeSync(file, bytes, written, Math.min(bytes.length - written, MAX_WRITE));
}

/** Writes bytes to a file as `replaceFileAtomic` does. */
export function writeFileAtomic(path: string, bytes: Uint8Array): void {
  replaceFileAtomic(path, (file) => writeFully(file, bytes));
}

function syncFolder(folder: string): void {
  // Windows cannot open folders; there the rename itself is all that can be had.
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
