import type { PictureLandscape } from '../catalogue';
import type { Paper } from './canvas';
import { Ground } from './ground';
import { drawMinimum, drawRuns, drawStart, type Projection, type Run } from './paths';
import { contour, lightAt, rampColour, terrainOf, type Terrain } from './terrain';
import type { Theme } from './theme';

const SIDE = 340;
const CONTOURS = 15;

/** The point of the landscape under a point of the canvas. */
export function pointAt(landscape: PictureLandscape, shareX: number, shareY: number): [number, number] {
  const between = ([low, high]: readonly [number, number], share: number): number =>
    low + (high - low) * Math.min(Math.max(share, 0), 1);
  return [between(landscape.x, shareX), between(landscape.y, 1 - shareY)];
}

/** The landscape from above: colours and relief shading, contours, the runs on top. */
export class MapView {
  private terrain: Terrain | undefined;
  private readonly ground = new Ground();

  draw(
    paper: Paper,
    landscape: PictureLandscape,
    runs: readonly Run[],
    start: readonly [number, number],
    step: number,
    theme: Theme,
  ): void {
    if (this.terrain?.landscape !== landscape) this.terrain = terrainOf(landscape, SIDE);
    const { terrain } = this;
    const { context, width, height } = paper;
    const project: Projection = (x, y) => [
      ((x - landscape.x[0]) / (landscape.x[1] - landscape.x[0])) * width,
      (1 - (y - landscape.y[0]) / (landscape.y[1] - landscape.y[0])) * height,
    ];
    const ground = this.ground.on(paper, [landscape.slug, theme.dark], (under) =>
      paintGround(under, width, terrain, theme),
    );
    context.drawImage(ground, 0, 0, width, height);
    for (const [x, y] of landscape.minima) drawMinimum(paper, project(x, y), theme);
    drawStart(paper, project(...start), theme);
    drawRuns(paper, runs, step, project, theme);
    drawTicks(paper, landscape, theme, project);
  }
}

function paintGround(context: CanvasRenderingContext2D, paperWidth: number, terrain: Terrain, theme: Theme): void {
  const { width, height } = context.canvas;
  context.imageSmoothingQuality = 'high';
  context.drawImage(coloured(terrain, theme), 0, 0, width, height);
  context.scale(width / (SIDE - 1), height / (SIDE - 1));
  for (let i = 1; i < CONTOURS; i++) {
    const segments = contour(terrain, i / CONTOURS);
    context.beginPath();
    for (let k = 0; k < segments.length; k += 4) {
      context.moveTo(segments[k], SIDE - 1 - segments[k + 1]);
      context.lineTo(segments[k + 2], SIDE - 1 - segments[k + 3]);
    }
    context.strokeStyle = theme.contour;
    context.lineWidth = ((i % 5 === 0 ? 1.7 : 0.9) * SIDE) / paperWidth;
    context.stroke();
  }
}

function coloured(terrain: Terrain, theme: Theme): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext('2d')!;
  const image = context.createImageData(SIDE, SIDE);
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      const share = terrain.shares[row * SIDE + column];
      const colour = rampColour(theme, share, lightAt(terrain, row, column));
      image.data.set([...colour, 255], 4 * ((SIDE - 1 - row) * SIDE + column));
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** A few values along the lower and the left edge. */
function drawTicks({ context, width, height }: Paper, { x, y }: PictureLandscape, theme: Theme, at: Projection): void {
  context.font = '11px "Helvetica Neue", Helvetica, Arial, "Liberation Sans", "DejaVu Sans", sans-serif';
  context.lineWidth = 3;
  context.strokeStyle = theme.halo;
  context.fillStyle = theme.muted;
  const write = (text: string, px: number, py: number): void => {
    context.strokeText(text, px, py);
    context.fillText(text, px, py);
  };
  const ticks = ([low, high]: readonly [number, number]): number[] => {
    const every = high - low > 6 ? 2 : 1;
    const first = Math.floor(low / every) + 1;
    const all = Array.from({ length: Math.ceil(high / every) - first }, (_, i) => (first + i) * every);
    // The far end is where the name of the axis stands.
    return all.filter((value) => value < high - 0.07 * (high - low));
  };
  context.textAlign = 'center';
  for (const value of ticks(x)) write(String(value).replace('-', '−'), at(value, y[0])[0], height - 7);
  context.textAlign = 'left';
  for (const value of ticks(y)) write(String(value).replace('-', '−'), 6, at(x[0], value)[1] + 4);
  context.textAlign = 'right';
  write('x', width - 7, height - 7);
  context.textAlign = 'left';
  write('y', 6, 14);
}
