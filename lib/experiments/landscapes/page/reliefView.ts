import type { PictureLandscape } from '../catalogue';
import type { Paper } from './canvas';
import { Ground } from './ground';
import { drawMinimum, drawRuns, drawStart, type Projection, type Run } from './paths';
import { lightAt, rampColour, terrainOf, type Terrain } from './terrain';
import type { Theme } from './theme';

const SIDE = 105;
/** Grid lines between two lines of the mesh. */
const MESH = 8;
/** Height of the highest point, in sides of the base. */
const LIFT = 0.52;

/** From where the relief is seen, radians: around the vertical, and above the horizon. */
export interface Camera {
  readonly yaw: number;
  readonly pitch: number;
}

/** The landscape as a relief in parallel projection: quadrilaterals from the back to the front, the runs on top. */
export class ReliefView {
  private terrain: Terrain | undefined;
  private readonly ground = new Ground();

  draw(
    paper: Paper,
    landscape: PictureLandscape,
    runs: readonly Run[],
    start: readonly [number, number],
    step: number,
    theme: Theme,
    camera: Camera,
  ): void {
    if (this.terrain?.landscape !== landscape) this.terrain = terrainOf(landscape, SIDE);
    const { terrain } = this;
    const { context, width, height } = paper;
    const place = placement(paper, camera);
    const share = ([low, high]: readonly [number, number], value: number): number => (value - low) / (high - low);
    const project: Projection = (x, y) => {
      const [u, v] = [share(landscape.x, x), share(landscape.y, y)];
      if (Math.min(u, v) < 0 || Math.max(u, v) > 1) return [NaN, NaN];
      return place(u, v, terrain.shareOf(terrain.height(x, y)));
    };
    const shown = [landscape.slug, theme.dark, camera.yaw, camera.pitch];
    const ground = this.ground.on(paper, shown, (under) =>
      paintGround(under, place, paper.density, terrain, theme, camera),
    );
    context.drawImage(ground, 0, 0, width, height);
    for (const [x, y] of landscape.minima) drawMinimum(paper, project(x, y), theme);
    drawStart(paper, project(...start), theme);
    drawRuns(paper, runs, step, project, theme);
  }
}

function paintGround(
  context: CanvasRenderingContext2D,
  place: Placement,
  density: number,
  terrain: Terrain,
  theme: Theme,
  camera: Camera,
): void {
  context.scale(density, density);
  context.lineWidth = 0.8;
  for (const [row, column] of backToFront(camera)) {
    const corners = [
      [row, column],
      [row, column + 1],
      [row + 1, column + 1],
      [row + 1, column],
    ];
    context.beginPath();
    for (const [r, c] of corners) {
      context.lineTo(...place(c / (SIDE - 1), r / (SIDE - 1), terrain.shares[r * SIDE + c]));
    }
    context.closePath();
    const share = terrain.shares[row * SIDE + column];
    const [r, g, b] = rampColour(theme, share, 4 * lightAt(terrain, row, column) - 3);
    context.fillStyle = context.strokeStyle = `rgb(${r | 0} ${g | 0} ${b | 0})`;
    context.fill();
    context.stroke();
    if (row % MESH === 0 || column % MESH === 0) drawMesh(context, place, terrain, row, column, theme);
  }
}

type Placement = (u: number, v: number, share: number) => [number, number];

function placement({ width, height }: Paper, { yaw, pitch }: Camera): Placement {
  const scale = Math.min(width / 1.43, height / (1.42 * Math.sin(pitch) + LIFT * Math.cos(pitch)));
  const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)];
  return (u, v, share) => {
    const [x, y] = [u - 0.5, v - 0.5];
    const across = x * cos - y * sin;
    const away = x * sin + y * cos;
    const up = (share - 0.5) * LIFT * Math.cos(pitch) + away * Math.sin(pitch);
    return [width / 2 + across * scale, height / 2 - up * scale];
  };
}

function backToFront({ yaw }: Camera): [row: number, column: number][] {
  const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)];
  const cells: [number, number][] = [];
  for (let i = 0; i < (SIDE - 1) ** 2; i++) cells.push([Math.floor(i / (SIDE - 1)), i % (SIDE - 1)]);
  const away = ([row, column]: [number, number]): number => column * sin + row * cos;
  return cells.sort((a, b) => away(b) - away(a));
}

/** The edges of a cell that lie on the coarse mesh. */
function drawMesh(
  context: CanvasRenderingContext2D,
  place: Placement,
  { shares }: Terrain,
  row: number,
  column: number,
  theme: Theme,
): void {
  const at = (r: number, c: number): [number, number] => place(c / (SIDE - 1), r / (SIDE - 1), shares[r * SIDE + c]);
  context.beginPath();
  if (row % MESH === 0) {
    context.moveTo(...at(row, column));
    context.lineTo(...at(row, column + 1));
  }
  if (column % MESH === 0) {
    context.moveTo(...at(row, column));
    context.lineTo(...at(row + 1, column));
  }
  context.strokeStyle = theme.contour;
  context.stroke();
}
