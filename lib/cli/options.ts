import { existsSync, readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { OptimizerOptions } from '../optimizer/options';
import type { StateBits } from '../../bindings/types';
import { loadWeights, presets } from '../optimizer/presets';
import { UsageError } from './exit';

/** Parses a whole number of at least `minimum`. */
export function integerAtLeast(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < minimum || text.trim() === '') {
      throw new InvalidArgumentError(`Expected a whole number of at least ${minimum}.`);
    }
    return value;
  };
}

/** Parses the bits per value of an optimizer's state. */
export function stateBits(text: string): StateBits {
  const value = Number(text);
  if (value !== 32 && value !== 16) throw new InvalidArgumentError('Expected 32 or 16.');
  return value;
}

/** Parses a number above zero. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError('Expected a number above 0, such as 1e-3.');
  }
  return value;
}

/** Parses a number above zero and no larger than `maximum`. */
export function numberUpTo(maximum: number): (text: string) => number {
  return (text) => {
    const value = positiveNumber(text);
    if (value > maximum) throw new InvalidArgumentError(`Expected a number of at most ${maximum}.`);
    return value;
  };
}

/** Parses a number of either sign. */
export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number, such as -3.5.');
  return value;
}

/** Parses numbers above zero, separated by commas. */
export function positiveNumbers(text: string): number[] {
  return text.split(',').map(positiveNumber);
}

/** Parses names separated by commas. */
export function names(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

/**
 * The items with these names, in the order of the items; all without names.
 * @throws {UsageError} for a name that none has.
 */
export function chosen<T extends { readonly name: string }>(
  items: readonly T[],
  wanted?: readonly string[],
  option = '--tasks',
): T[] {
  const unknown = wanted?.find((name) => !items.some((item) => item.name === name));
  if (unknown !== undefined) {
    throw new UsageError(`${option}: expected some of ${items.map(({ name }) => name).join(', ')}, got ${unknown}`);
  }
  return items.filter(({ name }) => wanted === undefined || wanted.includes(name));
}

/** For options that may be repeated. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/**
 * Options of the learned optimizer from `--preset`, `--weights` and `--state-bits`.
 * @throws {UsageError} if they name nothing that exists; {Error} naming the file if it holds no weights.
 */
export function optimizerOptions(options: {
  preset?: string;
  weights?: string;
  stateBits?: StateBits;
}): OptimizerOptions {
  const { preset, weights, stateBits } = options;
  const common = stateBits === undefined ? {} : { stateBits };
  if (preset !== undefined && weights !== undefined) {
    throw new UsageError('--preset and --weights: expected one of them, got both');
  }
  if (preset !== undefined) {
    const names = presets().map(({ name }) => name);
    if (!names.includes(preset)) throw new UsageError(`--preset: expected ${names.join(' or ')}, got ${preset}`);
    return { ...common, preset };
  }
  if (weights === undefined) return common;
  if (!existsSync(weights)) {
    throw new UsageError(`--weights: expected a .safetensors file, but ${weights} does not exist`);
  }
  try {
    return { ...common, weights: loadWeights(readFileSync(weights)) };
  } catch (error) {
    throw new Error(`--weights ${weights}: ${(error as Error).message}`, { cause: error });
  }
}

/** Seeds of `--seeds` and `--first-seed`: consecutive, from 0 unless it is given. */
export function seedsOf(options: { seeds?: number; firstSeed?: number }, count: number): number[] {
  return Array.from({ length: options.seeds ?? count }, (_, i) => (options.firstSeed ?? 0) + i);
}
