/** The functions of the learned optimizer's levels. */
import type { Architecture } from '../../../../bindings/types';

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** bias[o] + Σ_i x[i]·matrix[i][o]; as many outputs as the bias has. */
export function affine(matrix: ArrayLike<number>, bias: ArrayLike<number>, x: readonly number[]): number[] {
  return Array.from(bias, (b, o) => {
    let sum = b;
    for (let i = 0; i < x.length; i++) sum += x[i] * matrix[i * bias.length + o];
    return sum;
  });
}

/**
 * r, u = gate(W_g [x, h] + injected), c = candidate(W_c [x, r∘h] + injected), h' = u∘h + (1 − u)∘c
 * @param injected [3·hidden]: reset, update, candidate
 */
export function gru(
  { gates, gatesBias }: { readonly gates: Float64Array; readonly gatesBias: Float64Array },
  { candidate, candidateBias }: { readonly candidate: Float64Array; readonly candidateBias: Float64Array },
  x: readonly number[],
  h: readonly number[],
  injected: readonly number[],
  gate: (x: number) => number = sigmoid,
  squash: (x: number) => number = Math.tanh,
): number[] {
  const n = h.length;
  const open = affine(gates, gatesBias, [...x, ...h]).map((value, j) => gate(value + injected[j]));
  const reset = h.map((value, j) => open[j] * value);
  const candidates = affine(candidate, candidateBias, [...x, ...reset]);
  return h.map((value, j) => {
    const next = squash(candidates[j] + injected[2 * n + j]);
    return open[n + j] * value + (1 - open[n + j]) * next;
  });
}

const softsign = (x: number): number => x / (1 + Math.abs(x));

/** ln 2·(e + m − 1) for x = m·2^e with m in [1, 2). */
function piecewiseLog(x: number): number {
  let e = Math.floor(Math.log2(x));
  if (2 ** e > x) e--;
  if (2 ** (e + 1) <= x) e++;
  return Math.LN2 * (e + x / 2 ** e - 1);
}

function piecewiseExp(x: number): number {
  const t = Math.min(Math.max(x, -87), 88) / Math.LN2;
  return 2 ** Math.floor(t) * (1 + t - Math.floor(t));
}

/** Functions of the parameter level, and the power of the learned decay that timescale s of S has. */
export interface Activations {
  readonly gate: (x: number) => number;
  readonly candidate: (x: number) => number;
  readonly decay: (x: number) => number;
  readonly squash: (m: number) => number;
  readonly log: (x: number) => number;
  readonly power: (s: number, S: number) => number;
}

const ACTIVATIONS: Readonly<Record<Architecture['activations'], Activations>> = {
  transcendental: {
    gate: sigmoid,
    candidate: Math.tanh,
    decay: sigmoid,
    squash: Math.asinh,
    log: Math.log,
    power: (s) => 2 ** -s,
  },
  algebraic: {
    gate: (x) => 0.5 + 0.5 * softsign(2 * x),
    candidate: softsign,
    decay: (x) => 1 / (1 + piecewiseExp(-x)),
    squash: (m) => m / Math.sqrt(1 + m ** 2 / 4),
    log: piecewiseLog,
    power: (s, S) => 2 ** (S - 1 - s),
  },
};

export const activationsOf = (name: Architecture['activations']): Activations => ACTIVATIONS[name];
