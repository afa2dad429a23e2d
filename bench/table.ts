import CliTable from 'cli-table3';
import type { Overhead } from './overhead';
import type { Row } from './results';
import type { ScalingRow } from './scaling';
import type { SmallStep } from './smallStep';

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const out = new CliTable({
    head: [...titles],
    colAligns: titles.map((_, i) => (i < 2 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  out.push(...rows.map((row) => [...row]));
  return out.toString();
}

const count = (n: number): string => n.toLocaleString('en');
const digits = (n: number): string => (n >= 100 ? n.toFixed(0) : n.toFixed(n >= 10 ? 1 : 2));

/** Comparisons with Adam. */
export function comparisonTable(rows: readonly Row[]): string {
  return table(
    ['learned optimizer', 'against', 'parameters', 'tensors', 'threads', 'ns/parameter', 'Adam', 'ratio', '± MAD'],
    rows.map((r) => [
      r.name,
      r.against,
      count(r.parameters),
      count(r.tensors),
      String(r.threads),
      digits(r.nsPerParameter),
      digits(r.againstNsPerParameter),
      `${r.ratio.toFixed(2)}×`,
      r.mad.toFixed(2),
    ]),
  );
}

/** What TensorFlow.js adds to a step, in nanoseconds per parameter. */
export function overheadTable(rows: readonly Overhead[]): string {
  return table(
    [
      'tf.Optimizer on',
      '',
      'parameters',
      'tensors',
      'threads',
      'arrays',
      'tfjs',
      'overhead',
      '± MAD',
      'reading',
      'publishing',
    ],
    rows.map((r) => [
      r.name,
      'ns/parameter',
      count(r.parameters),
      count(r.tensors),
      String(r.threads),
      ...[r.arrays, r.tfjs, r.overhead, r.mad, r.reading, r.publishing].map((ns) => ns.toFixed(2)),
    ]),
  );
}

/** Parts of small steps on arrays. */
export function smallStepTable(steps: readonly SmallStep[]): string {
  return table(
    ['parameters', 'tensors', 'threads', 'step, µs', 'TypeScript', 'call', 'levels', 'kernels'],
    steps.map((s) => [
      count(s.parameters),
      count(s.tensors),
      String(s.threads),
      digits(s.step),
      digits(s.typeScript),
      digits(s.call),
      digits(s.levels),
      digits(s.kernels),
    ]),
  );
}

/** Time per parameter and per tensor by size. */
export function scalingTable(rows: readonly ScalingRow[]): string {
  return table(
    ['parameters', 'tensors', 'threads', 'ns/parameter', '± MAD', 'µs/tensor', 'against 1 M', '± MAD'],
    rows.map((r) => [
      count(r.parameters),
      count(r.tensors),
      String(r.threads),
      digits(r.nsPerParameter),
      r.mad.toFixed(2),
      digits(r.microsecondsPerTensor),
      `${r.ratio.toFixed(2)}×`,
      r.ratioMad.toFixed(2),
    ]),
  );
}
