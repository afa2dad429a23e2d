import { paperOf } from './canvas';
import type { Theme } from './theme';

export interface ChartLine {
  readonly colour: string;
  readonly dash: readonly number[];
  readonly width: number;
  /** At a step, 0 … steps. Not finite: no line. */
  readonly value: (step: number) => number;
}

export interface ChartSetting {
  /** The steps that the chart covers. */
  readonly from: number;
  readonly to: number;
  /** The step that is shown: what comes after is faint. */
  readonly step: number;
  /** Values are drawn as their log10. */
  readonly log: boolean;
  /**
   * Bounds of the axis, at which values beyond them are drawn. A log axis is no longer than the lines; a linear one goes from
   * bound to bound. Default: the bounds of the lines.
   */
  readonly low?: number;
  readonly high?: number;
}

const FONT = '11.5px "Helvetica Neue", Helvetica, Arial, "Liberation Sans", "DejaVu Sans", sans-serif';
/** Room for labels, CSS pixels. */
const LEFT = 46;
const BOTTOM = 20;
const TOP = 6;
const RIGHT = 8;

/** The step under a point of a chart, given in CSS pixels from its left edge. */
export function stepAt(
  canvas: HTMLCanvasElement,
  x: number,
  { from, to }: { readonly from: number; readonly to: number },
): number {
  const share = (x - LEFT) / (canvas.clientWidth - LEFT - RIGHT);
  return Math.round(from + Math.min(Math.max(share, 0), 1) * (to - from));
}

function powerLabel(exponent: number): string {
  if (exponent >= -3 && exponent <= 3) return String(Number((10 ** exponent).toPrecision(1)));
  return `1e${exponent}`.replace('-', '−');
}

/** Round distances between ticks so that there are about as many as wanted. */
function tickDistance(extent: number, wanted: number): number {
  const rough = extent / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
}

export function drawLineChart(
  canvas: HTMLCanvasElement,
  lines: readonly ChartLine[],
  setting: ChartSetting,
  theme: Theme,
): void {
  const { context, width, height } = paperOf(canvas);
  const { from, to, step, log } = setting;
  const scaled = (value: number): number => (log ? Math.log10(value) : value);
  let [low, high] = [Infinity, -Infinity];
  for (const { value } of lines) {
    for (let i = from; i <= to; i++) {
      const v = scaled(value(i));
      if (!Number.isFinite(v)) continue;
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
  }
  if (setting.low !== undefined) low = Math.max(low, scaled(setting.low));
  if (setting.high !== undefined) high = Math.min(high, scaled(setting.high));
  if (!log) [low, high] = [setting.low ?? low, setting.high ?? high];
  if (!(high > low)) [low, high] = Number.isFinite(low) ? [low - 1, low + 1] : [-1, 1];
  const distance = log ? Math.max(1, Math.ceil((high - low) / (height / 26))) : tickDistance(high - low, height / 34);
  if (log) [low, high] = [Math.floor(low), Math.ceil(high)];

  const x = (i: number): number => LEFT + ((i - from) / Math.max(to - from, 1)) * (width - LEFT - RIGHT);
  const y = (v: number): number => TOP + ((high - v) / (high - low)) * (height - TOP - BOTTOM);
  context.font = FONT;
  context.fillStyle = theme.muted;
  context.strokeStyle = theme.grid;
  context.lineWidth = 1;
  context.textAlign = 'right';
  for (let tick = Math.ceil(low / distance) * distance; tick <= high + 1e-9; tick += distance) {
    const at = Math.round(y(tick)) + 0.5;
    context.beginPath();
    context.moveTo(LEFT, at);
    context.lineTo(width - RIGHT, at);
    context.stroke();
    const text = log ? powerLabel(Math.round(tick)) : String(Number(tick.toPrecision(3))).replace('-', '−');
    context.fillText(text, LEFT - 7, at + 4);
  }
  const every = Math.max(1, tickDistance(Math.max(to - from, 1), width / 90));
  for (let tick = Math.ceil(from / every) * every; tick <= to; tick += every) {
    context.textAlign = x(tick) > width - 30 ? 'right' : 'center';
    context.fillText(tick.toLocaleString('en'), context.textAlign === 'right' ? width - RIGHT : x(tick), height - 4);
  }

  const path = ({ value }: ChartLine, first: number, last: number): void => {
    context.beginPath();
    let drawing = false;
    for (let i = first; i <= last; i++) {
      const raw = value(i);
      const v = log && raw === 0 ? low : scaled(raw);
      if (Number.isFinite(v)) context[drawing ? 'lineTo' : 'moveTo'](x(i), y(Math.min(Math.max(v, low), high)));
      drawing = Number.isFinite(v);
    }
    context.stroke();
  };
  context.lineJoin = 'round';
  for (const line of [...lines].reverse()) {
    context.strokeStyle = line.colour;
    context.lineWidth = line.width;
    context.setLineDash([...line.dash]);
    context.globalAlpha = 0.28;
    path(line, step, to);
    context.globalAlpha = 1;
    path(line, from, step);
  }
  context.setLineDash([]);
  context.strokeStyle = theme.ink;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x(step), TOP);
  context.lineTo(x(step), height - BOTTOM);
  context.stroke();
}
