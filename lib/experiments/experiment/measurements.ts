import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MissingMeasurementsError } from './experiment';

/**
 * Reads measurements that only a checkout of the repository can make.
 * @param folder `bench/results` of the checkout
 * @param command that makes the file, run in a checkout
 * @throws {MissingMeasurementsError} if the file is not there; {RangeError} if it is not JSON with the list
 */
export function readMeasurements<T>(folder: string, file: string, list: keyof T & string, command: string): T {
  const path = join(folder, file);
  if (!existsSync(path)) {
    throw new MissingMeasurementsError(
      `${path}: expected measurements, but there is no such file: they are part of the repository, not of the installed package. Make them in a checkout with: ${command}`,
    );
  }
  let found: T;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    throw new RangeError(`${path}: expected JSON, got ${(error as Error).message}`, { cause: error });
  }
  if (!Array.isArray(found?.[list])) throw new RangeError(`${path}: expected a list "${list}"`);
  return found;
}
