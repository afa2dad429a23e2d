import type { MakeOptimizer } from '../baselines';
import { affineBlock, BLOCK, lstmBlock } from './lstmBlock';
import { INPUTS, logAndSign } from './preprocessing';
import { l2lShapes, l2lTensors, OUTPUT_SCALE, type L2lWeights } from './weights';

export interface L2lOptions {
  readonly weights: L2lWeights;
  /** Factor of the steps; default 1, as meta-trained. */
  readonly multiplier?: number;
}

/** State of the LSTM of all coordinates, block by block: [blocks][units][BLOCK] per array. */
class L2lState {
  readonly cells: readonly Float32Array[];
  readonly hiddens: readonly Float32Array[];

  constructor(blocks: number, units: number) {
    const zeros = (): Float32Array[] => [0, 1].map(() => new Float32Array(blocks * units * BLOCK));
    this.cells = zeros();
    this.hiddens = zeros();
  }
}

/** Advances blocks of coordinates by one step of the two layers and the read-out. */
class L2lNetwork {
  readonly #units: number;
  readonly #matrices: readonly Float64Array[];
  readonly #columns: readonly number[];
  readonly #inputs: readonly Float64Array[];
  readonly #gates: Float64Array;

  constructor({ units, values }: L2lWeights) {
    this.#units = units;
    // In double precision loads need no conversion, which costs as much as a multiplication.
    this.#matrices = l2lTensors(units, Float64Array.from(values));
    this.#columns = l2lShapes(units).map(([, [, columns]]) => columns);
    this.#inputs = this.#columns.map((columns) => new Float64Array((columns - 1) * BLOCK));
    this.#gates = new Float64Array(4 * units * BLOCK);
  }

  /**
   * @param gradients of the block's coordinates, [BLOCK]
   * @param outputs [BLOCK]: receives the read-out, not yet scaled
   */
  advance(state: L2lState, block: number, gradients: Float64Array, outputs: Float64Array): void {
    const units = this.#units;
    const size = units * BLOCK;
    const at = block * size;
    const [first, second, last] = this.#inputs;
    logAndSign(gradients, first, BLOCK, BLOCK);
    for (let i = 0; i < size; i++) first[INPUTS * BLOCK + i] = state.hiddens[0][at + i];
    affineBlock(this.#matrices[0], 4 * units, this.#columns[0], first, this.#gates);
    lstmBlock(this.#gates, units, state.cells[0], state.hiddens[0], at, second, 0);
    for (let i = 0; i < size; i++) second[size + i] = state.hiddens[1][at + i];
    affineBlock(this.#matrices[1], 4 * units, this.#columns[1], second, this.#gates);
    lstmBlock(this.#gates, units, state.cells[1], state.hiddens[1], at, last, 0);
    const readOut = this.#matrices[2];
    for (let b = 0; b < BLOCK; b++) {
      let sum = readOut[units];
      for (let k = 0; k < units; k++) sum += readOut[k] * last[k * BLOCK + b];
      outputs[b] = sum;
    }
  }
}

/**
 * The coordinate-wise LSTM optimizer of Andrychowicz et al. 2016 (section 2.1, figure 3): θ ← θ + 0.01·m(g), where m is the
 * read-out of two LSTM layers whose state is the coordinate's own and whose weights all coordinates share. A gradient that
 * is not a number makes its coordinate's state and parameter so.
 *
 * Memory: 4·units values of 4 bytes per coordinate, 320 bytes with 20 units.
 * @throws {RangeError} if the weights do not fit their number of units, or the multiplier is not finite
 */
export function l2l({ weights, multiplier = 1 }: L2lOptions): MakeOptimizer {
  if (!Number.isFinite(multiplier)) throw new RangeError(`multiplier: expected a finite number, got ${multiplier}`);
  const scale = OUTPUT_SCALE * multiplier;
  const network = new L2lNetwork(weights);
  return (parameters) => {
    const blocksOf = ({ length }: Float32Array): number => Math.ceil(length / BLOCK);
    const state = new L2lState(
      parameters.reduce((sum, parameter) => sum + blocksOf(parameter), 0),
      weights.units,
    );
    const [input, output] = [new Float64Array(BLOCK), new Float64Array(BLOCK)];
    return {
      step(gradients) {
        let block = 0;
        parameters.forEach((parameter, t) => {
          const gradient = gradients[t];
          for (let start = 0; start < parameter.length; start += BLOCK, block++) {
            const count = Math.min(BLOCK, parameter.length - start);
            input.fill(0);
            for (let i = 0; i < count; i++) input[i] = gradient[start + i];
            network.advance(state, block, input, output);
            for (let i = 0; i < count; i++) parameter[start + i] += scale * output[i];
          }
        });
      },
    };
  };
}
