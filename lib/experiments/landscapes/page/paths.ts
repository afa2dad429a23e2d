import type { Descent } from '../descent';
import { drawMarker, type Paper } from './canvas';
import type { Theme } from './theme';

/** A descent on the page. */
export interface Run {
  readonly id: string;
  readonly name: string;
  /** Index of its style and marker. */
  readonly style: number;
  readonly descent: Descent;
  /** The rate, for people. */
  readonly rate: string;
}

/** The last step at which a run had a finite position. */
export function lastStep({ descent: { heights } }: Run): number {
  const first = heights.findIndex((height) => !Number.isFinite(height));
  return first < 0 ? heights.length - 1 : first - 1;
}

/** From the landscape to the canvas, CSS pixels; NaN where it is not drawn. */
export type Projection = (x: number, y: number) => readonly [number, number];

function trace(paper: Paper, { descent: { positions } }: Run, until: number, project: Projection): void {
  const { context, width, height } = paper;
  context.beginPath();
  // Far outside, numbers would be too large for a canvas.
  const [farX, farY] = [20 * width, 20 * height];
  let drawing = false;
  for (let step = 0; step <= until; step++) {
    const [x, y] = project(positions[2 * step], positions[2 * step + 1]);
    context[drawing ? 'lineTo' : 'moveTo'](Math.min(Math.max(x, -farX), farX), Math.min(Math.max(y, -farY), farY));
    drawing = !Number.isNaN(x);
  }
}

/** Draws runs up to a step, the first one on top. */
export function drawRuns(paper: Paper, runs: readonly Run[], step: number, project: Projection, theme: Theme): void {
  const { context, width, height } = paper;
  const ordered = [...runs].reverse();
  context.lineJoin = 'round';
  for (const run of ordered) {
    const style = theme.styles[run.style];
    trace(paper, run, Math.min(step, lastStep(run)), project);
    context.setLineDash([]);
    context.strokeStyle = theme.halo;
    context.lineWidth = style.width + 2.6;
    context.stroke();
    context.setLineDash([...style.dash]);
    context.strokeStyle = style.colour;
    context.lineWidth = style.width + 0.3;
    context.stroke();
  }
  context.setLineDash([]);
  for (const run of ordered) {
    const at = Math.min(step, lastStep(run));
    const [x, y] = project(run.descent.positions[2 * at], run.descent.positions[2 * at + 1]);
    // Whoever has left the picture waits at its edge.
    const inside = x >= 0 && x <= width && y >= 0 && y <= height;
    if (Number.isNaN(x)) continue;
    const edge = (value: number, size: number): number => Math.min(Math.max(value, 7), size - 7);
    context.globalAlpha = inside ? 1 : 0.55;
    const { colour } = theme.styles[run.style];
    drawMarker(context, run.style, edge(x, width), edge(y, height), 5.2, colour, theme.halo);
    context.globalAlpha = 1;
  }
}

/** The star of a minimum. */
export function drawMinimum({ context }: Paper, [x, y]: readonly [number, number], theme: Theme): void {
  context.beginPath();
  for (let i = 0; i < 10; i++) {
    const [angle, radius] = [-Math.PI / 2 + (i * Math.PI) / 5, i % 2 === 0 ? 9 : 3.8];
    context.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  }
  context.closePath();
  context.lineWidth = 3;
  context.strokeStyle = theme.halo;
  context.stroke();
  context.fillStyle = theme.ink;
  context.fill();
}

/** The ring where all begin. */
export function drawStart({ context }: Paper, [x, y]: readonly [number, number], theme: Theme): void {
  for (const [colour, width] of [
    [theme.halo, 5],
    [theme.ink, 1.8],
  ] as const) {
    context.beginPath();
    context.arc(x, y, 8.5, 0, 2 * Math.PI);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
}
