import { heightOf, type PictureLandscape } from '../catalogue';
import type { Theme } from './theme';

/** Heights of a landscape on a grid, as shares from 0 (lowest) to 1 (highest) of its scale. */
export interface Terrain {
  readonly landscape: PictureLandscape;
  /** Points per side. */
  readonly side: number;
  /** [side][side], rows from the lowest y up. */
  readonly shares: Float32Array;
  /** The share of a height, within 0 … 1. */
  readonly shareOf: (height: number) => number;
  /** Height above the minimum. */
  readonly height: (x: number, y: number) => number;
}

/** On the log scale, heights below this share of the highest are all the same. */
const LOG_FLOOR = 2e-4;

export function terrainOf(landscape: PictureLandscape, side: number): Terrain {
  const height = heightOf(landscape);
  const heights = new Float64Array(side * side);
  const at = ([low, high]: readonly [number, number], i: number): number => low + ((high - low) * i) / (side - 1);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      heights[row * side + column] = height(at(landscape.x, column), at(landscape.y, row));
    }
  }
  const top = heights.reduce((a, b) => Math.max(a, b));
  const floor = LOG_FLOOR * top;
  const clamp = (share: number): number => Math.min(Math.max(share, 0), 1);
  const shareOf =
    landscape.scale === 'linear'
      ? (h: number) => clamp(h / top)
      : (h: number) => clamp(Math.log(h / floor + 1) / Math.log(top / floor + 1));
  return { landscape, side, shares: Float32Array.from(heights, shareOf), shareOf, height };
}

/** The colour of a share, lit from the upper left: `light` 1 is level ground. */
export function rampColour({ ramp }: Theme, share: number, light: number): [number, number, number] {
  const position = share * (ramp.length - 1);
  const i = Math.min(Math.floor(position), ramp.length - 2);
  const mixed = ramp[i].map((from, c) => from + (ramp[i + 1][c] - from) * (position - i));
  return mixed.map((value) => Math.min(255, Math.max(0, value * light))) as [number, number, number];
}

/** How much light falls on a grid point, from the slopes around it. */
export function lightAt({ shares, side }: Terrain, row: number, column: number): number {
  const value = (r: number, c: number): number =>
    shares[Math.min(Math.max(r, 0), side - 1) * side + Math.min(Math.max(c, 0), side - 1)];
  const [dx, dy] = [value(row, column + 1) - value(row, column - 1), value(row + 1, column) - value(row - 1, column)];
  const scale = side / 9;
  const [nx, ny] = [-dx * scale, -dy * scale];
  return 1 + 0.09 * ((nx * -0.7 + ny * 0.7) / Math.sqrt(1 + nx * nx + ny * ny));
}

/** Line segments of the contour at a share, in grid units: x0, y0, x1, y1, … (marching squares). */
export function contour({ shares, side }: Terrain, level: number): number[] {
  const segments: number[] = [];
  for (let row = 0; row + 1 < side; row++) {
    for (let column = 0; column + 1 < side; column++) {
      const corners = [
        [column, row],
        [column + 1, row],
        [column + 1, row + 1],
        [column, row + 1],
      ];
      const values = corners.map(([c, r]) => shares[r * side + c] - level);
      const crossings: number[] = [];
      for (let k = 0; k < 4; k++) {
        const [a, b] = [values[k], values[(k + 1) % 4]];
        if (a < 0 === b < 0) continue;
        const share = a / (a - b);
        const [from, to] = [corners[k], corners[(k + 1) % 4]];
        crossings.push(from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share);
      }
      for (let k = 0; k + 3 < crossings.length; k += 4) segments.push(...crossings.slice(k, k + 4));
    }
  }
  return segments;
}
