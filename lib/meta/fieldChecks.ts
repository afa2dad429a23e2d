/** Checks a value and throws a RangeError that names its path, what was expected and what came. */
export type FieldCheck = (path: string, value: unknown) => void;

/** One check for every field of T, so that the compiler tells which field has none. */
export type FieldChecks<T> = { readonly [K in keyof T]-?: FieldCheck };

/** How a value is shown in an error: as JSON, but for numbers that JSON has no sign for. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

/** @throws {RangeError} always */
export function refuse(path: string, expected: string, value: unknown): never {
  throw new RangeError(`${path}: expected ${expected}, got ${show(value)}`);
}

/** A value for which `holds` is true. */
export function valueOf(expected: string, holds: (value: unknown) => boolean): FieldCheck {
  return (path, value) => {
    if (!holds(value)) refuse(path, expected, value);
  };
}

/** A field that may be missing. */
export function optional(check: FieldCheck): FieldCheck {
  return (path, value) => {
    if (value !== undefined) check(path, value);
  };
}

/** One of some strings. */
export function oneOf(...values: readonly string[]): FieldCheck {
  return valueOf(values.map((value) => `'${value}'`).join(' or '), (value) => values.includes(value as string));
}

function objectAt(path: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(path || 'value', 'an object', value);
  return value as Readonly<Record<string, unknown>>;
}

/** Path of a field; the fields of the whole value have their names alone. */
const fieldPath = (path: string, field: string): string => (path === '' ? field : `${path}.${field}`);

/** An object with these fields and no others. */
export function objectOf<T>(checks: FieldChecks<T>): FieldCheck {
  const known = Object.keys(checks);
  return (path, value) => {
    const object = objectAt(path, value);
    for (const field of Object.keys(object)) {
      if (known.includes(field)) continue;
      refuse(fieldPath(path, field), `no such field (known: ${known.join(', ')})`, object[field]);
    }
    for (const field of known) checks[field as keyof T](fieldPath(path, field), object[field]);
  };
}

/** An object whose fields depend on its field `kind`. */
export function kindOf(kinds: Readonly<Record<string, FieldCheck>>): FieldCheck {
  const names = Object.keys(kinds);
  return (path, value) => {
    const { kind } = objectAt(path, value);
    oneOf(...names)(fieldPath(path, 'kind'), kind);
    kinds[kind as string](path, value);
  };
}

/** A list with at least one entry. */
export function listOf(expected: string, check: FieldCheck, most = Infinity): FieldCheck {
  return (path, value) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > most) refuse(path, expected, value);
    (value as readonly unknown[]).forEach((entry, i) => check(`${path}[${i}]`, entry));
  };
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isPositive = (value: unknown): value is number => isNumber(value) && value > 0;

export const anyText = valueOf('a text', (value) => typeof value === 'string');
export const flag = valueOf('true or false', (value) => typeof value === 'boolean');
export const wholeNumber = valueOf('a whole number', Number.isSafeInteger);
export const count = valueOf('a whole number from 1', (value) => Number.isSafeInteger(value) && (value as number) > 0);
export const countOrZero = valueOf('a whole number from 0', (v) => Number.isSafeInteger(v) && (v as number) >= 0);
export const positive = valueOf('a number above 0', isPositive);
export const notNegative = valueOf('a number from 0', (value) => isNumber(value) && value >= 0);
export const share = valueOf('a number from 0 to 1', (value) => isNumber(value) && value >= 0 && value <= 1);
/** Of a moving average; with 1 it would stay where it began. */
export const decay = valueOf('a number from 0, below 1', (value) => isNumber(value) && value >= 0 && value < 1);
export const shareAboveZero = valueOf('a number above 0, at most 1', (value) => isPositive(value) && value <= 1);
export const atLeastOne = valueOf('a number from 1', (value) => isNumber(value) && value >= 1);
/** Null stands for Infinity, which JSON has no sign for. */
export const positiveOrInfinite = valueOf(
  'a number above 0, or null for infinity',
  (value) => value === null || value === Infinity || isPositive(value),
);

export function numberBetween(lowest: number, highest: number): FieldCheck {
  return valueOf(
    `a number from ${lowest} to ${highest}`,
    (value) => isNumber(value) && value >= lowest && value <= highest,
  );
}

/** Two numbers. */
export const range = valueOf(
  'two numbers above 0 in ascending order',
  (value) => Array.isArray(value) && value.length === 2 && value.every(isPositive) && value[0] <= value[1],
);
