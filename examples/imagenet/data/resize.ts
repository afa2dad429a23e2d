import type { Pixels } from './decode';

/** Part of an image in pixels; the borders may lie between pixels. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Which inputs make an output along one axis: `weights[i·taps + k]` of input `first[i] + k`. */
interface Axis {
  readonly first: Int32Array;
  readonly weights: Float32Array;
  readonly taps: number;
}

/**
 * Triangle filter from `length` inputs at `start` to `size` outputs: bilinear interpolation when enlarging; when
 * shrinking it widens, so that every input counts (antialiasing). Inputs outside the image are left out.
 */
function triangle(start: number, length: number, size: number, limit: number): Axis {
  const scale = length / size;
  const support = Math.max(1, scale);
  const taps = Math.ceil(2 * support) + 1;
  const first = new Int32Array(size);
  const weights = new Float32Array(size * taps);
  for (let i = 0; i < size; i++) {
    const centre = start + (i + 0.5) * scale - 0.5;
    const from = Math.min(Math.max(Math.ceil(centre - support), 0), limit - 1);
    first[i] = from;
    let sum = 0;
    for (let k = 0; k < taps && from + k < limit; k++) {
      const weight = Math.max(0, 1 - Math.abs(from + k - centre) / support);
      weights[i * taps + k] = weight;
      sum += weight;
    }
    for (let k = 0; k < taps; k++) weights[i * taps + k] /= sum;
  }
  return { first, weights, taps };
}

/** Rows of the image that the output needs. */
function rowsOf({ first, taps }: Axis, limit: number): [begin: number, end: number] {
  return [first[0], Math.min(first[first.length - 1] + taps, limit)];
}

/**
 * Cuts out a rectangle, scales it to a square and writes it as [size][size][3] floats in [−1, 1] (pixel / 127.5 − 1).
 * Grey becomes RGB, alpha is left out.
 * @param flip mirrors left and right
 * @param out room for size·size·3 floats from `offset` on
 */
export function cropAndResize(
  { data, width, height, channels }: Pixels,
  { left, top, width: cropWidth, height: cropHeight }: Rectangle,
  size: number,
  flip: boolean,
  out: Float32Array,
  offset = 0,
): void {
  const across = triangle(left, cropWidth, size, width);
  const down = triangle(top, cropHeight, size, height);
  const [begin, end] = rowsOf(down, height);
  const planes = Math.min(channels, 3);

  const rows = new Float32Array((end - begin) * size * planes);
  for (let y = begin; y < end; y++) {
    for (let x = 0; x < size; x++) {
      const target = ((y - begin) * size + (flip ? size - 1 - x : x)) * planes;
      for (let k = 0; k < across.taps; k++) {
        const weight = across.weights[x * across.taps + k];
        if (weight === 0) continue;
        const source = (y * width + across.first[x] + k) * channels;
        for (let c = 0; c < planes; c++) rows[target + c] += weight * data[source + c];
      }
    }
  }

  const row = new Float32Array(size * planes);
  for (let y = 0; y < size; y++) {
    row.fill(0);
    for (let k = 0; k < down.taps; k++) {
      const weight = down.weights[y * down.taps + k];
      if (weight === 0) continue;
      const source = (down.first[y] + k - begin) * size * planes;
      for (let i = 0; i < row.length; i++) row[i] += weight * rows[source + i];
    }
    for (let x = 0; x < size; x++) {
      for (let c = 0; c < 3; c++) {
        out[offset + (y * size + x) * 3 + c] = row[x * planes + (planes === 1 ? 0 : c)] / 127.5 - 1;
      }
    }
  }
}
