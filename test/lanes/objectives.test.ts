import { describe, expect, it } from 'vitest';
import { LANE_LOSS, laneRegression, laneResiduals } from '../../bindings/lanes';
import type { FloatArray } from '../../bindings/types';
import { createRandom } from '../../lib/random';

/** Problems of double precision have a block each, those of single precision share blocks of 16. */
const PRECISIONS = [
  ['float64', 1, Float64Array],
  ['float32', 16, Float32Array],
] as const;

function draw(seed: number, n: number): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length: n }, () => random.normal());
}

/** Derivative of `f` at `x` by central differences. */
function differences(f: (x: Float64Array) => number, x: Float64Array): Float64Array {
  return x.map((v, i) => {
    const h = 1e-5 * (1 + Math.abs(v));
    const at = (w: number): number => f(x.map((u, j) => (j === i ? w : u)));
    return (at(v + h) - at(v - h)) / (2 * h);
  });
}

/** One problem per lane of one block, from arrays of the problems. */
function interleave(problems: readonly Float64Array[], make: new (n: number) => FloatArray): FloatArray {
  const out = new make(problems.length * problems[0].length);
  problems.forEach((p, lane) => p.forEach((v, i) => (out[i * problems.length + lane] = v)));
  return out;
}

const lane = (array: FloatArray, width: number, l: number): number[] =>
  Array.from({ length: array.length / width }, (_, i) => array[i * width + l]);

describe.each(PRECISIONS)('objectives in lanes, %s', (_, width, make) => {
  const tolerance = width === 1 ? 1e-7 : 2e-4;

  it('residuals: value and gradient equal the formula and its finite differences', () => {
    const [rows, columns] = [7, 5];
    const problems = Array.from({ length: width }, (__, l) => ({
      matrix: draw(10 + l, rows * columns),
      target: draw(100 + l, rows),
      x: draw(200 + l, columns),
      p: l % 3 === 0 ? 2 : 1 + (l % 7) / 3,
    }));
    const value = new make(width);
    const gradient = new make(width * columns);
    laneResiduals({
      blocks: 1,
      threads: 1,
      rows,
      columns,
      matrix: interleave(
        problems.map((p) => p.matrix),
        make,
      ),
      target: interleave(
        problems.map((p) => p.target),
        make,
      ),
      exponent: make.from(problems.map((p) => p.p)),
      x: interleave(
        problems.map((p) => p.x),
        make,
      ),
      value,
      gradient,
    });
    problems.forEach(({ matrix, target, x, p }, l) => {
      const f = (at: Float64Array): number =>
        target.reduce((sum, b, r) => {
          let residual = -b;
          for (let c = 0; c < columns; c++) residual += matrix[r * columns + c] * at[c];
          return sum + (Math.abs(residual) + 1e-6) ** p;
        }, 0);
      expect(Math.abs(value[l] / f(x) - 1)).toBeLessThan(tolerance);
      const expected = differences(f, x);
      const scale = Math.max(...expected.map(Math.abs));
      lane(gradient, width, l).forEach((g, i) => expect(Math.abs(g - expected[i])).toBeLessThan(tolerance * scale));
    });
  });

  it.each([
    ['softmax cross entropy', LANE_LOSS.softmaxCrossEntropy],
    ['Brier', LANE_LOSS.brier],
    ['squared error', LANE_LOSS.squaredError],
  ])('regression with %s: value and gradient on a minibatch and on all samples', (__, loss) => {
    const [inputs, outputs, samples] = [3, 4, 9];
    const indices = Int32Array.of(8, 2, 2, 5);
    const problems = Array.from({ length: width }, (___, l) => ({
      x: draw(300 + l, samples * inputs),
      targets:
        loss === LANE_LOSS.squaredError
          ? draw(400 + l, samples * outputs)
          : Float64Array.from({ length: samples }, (____, s) => (s * 7 + l) % outputs),
      parameters: draw(500 + l, inputs * outputs + outputs),
    }));
    for (const chosen of [indices, null]) {
      const list = chosen ?? Int32Array.from({ length: samples }, (___, i) => i);
      const value = new make(width);
      const gradient = new make(width * (inputs * outputs + outputs));
      laneRegression({
        blocks: 1,
        threads: 1,
        inputs,
        outputs,
        sampleCount: samples,
        loss: new make(width).fill(loss),
        samples: interleave(
          problems.map((p) => p.x),
          make,
        ),
        targets: interleave(
          problems.map((p) => p.targets),
          make,
        ),
        indices: chosen,
        count: list.length,
        parameters: interleave(
          problems.map((p) => p.parameters),
          make,
        ),
        value,
        gradient,
      });
      problems.forEach(({ x, targets, parameters }, l) => {
        const f = (at: Float64Array): number => {
          let sum = 0;
          for (const s of list) {
            const z = Array.from({ length: outputs }, (___, c) => {
              let v = at[inputs * outputs + c];
              for (let i = 0; i < inputs; i++) v += x[s * inputs + i] * at[i * outputs + c];
              return v;
            });
            if (loss === LANE_LOSS.squaredError) {
              sum += z.reduce((a, v, c) => a + (v - targets[s * outputs + c]) ** 2, 0) / 2;
              continue;
            }
            const total = z.reduce((a, v) => a + Math.exp(v), 0);
            const probability = z.map((v) => Math.exp(v) / total);
            sum +=
              loss === LANE_LOSS.brier
                ? probability.reduce((a, q, c) => a + (q - (c === targets[s] ? 1 : 0)) ** 2, 0) / 2
                : -Math.log(probability[targets[s]]);
          }
          return sum / list.length;
        };
        expect(Math.abs(value[l] / f(parameters) - 1)).toBeLessThan(tolerance);
        const expected = differences(f, parameters);
        const scale = Math.max(...expected.map(Math.abs));
        lane(gradient, width, l).forEach((g, i) => expect(Math.abs(g - expected[i])).toBeLessThan(tolerance * scale));
      });
    }
  });

  it('refuse shapes, sample numbers and shared memory that do not fit', () => {
    const array = (n: number): FloatArray => new make(n * width);
    const request = {
      blocks: 1,
      threads: 1,
      inputs: 2,
      outputs: 2,
      sampleCount: 3,
      loss: array(1),
      samples: array(6),
      targets: array(3),
      indices: null as Int32Array | null,
      count: 3,
      parameters: array(6),
      value: array(1),
      gradient: null as FloatArray | null,
    };
    expect(() => laneRegression(request)).not.toThrow();
    const cases: [object, RegExp][] = [
      [{ parameters: array(5) }, /request.parameters: expected .* of length/],
      [{ indices: Int32Array.of(0, 1, 3) }, /request.indices\[2\]: expected 0 to 2, got 3/],
      [{ count: 4 }, /request.count: expected at most 3, got 4/],
      [{ loss: array(1).fill(5) }, /request.loss\[0\]: expected 0, 1 or 2, got 5/],
      [{ gradient: request.parameters }, /request.gradient: expected memory of its own/],
      [{ outputs: 65 }, /request.outputs: expected/],
    ];
    for (const [change, message] of cases) expect(() => laneRegression({ ...request, ...change })).toThrow(message);
  });
});
