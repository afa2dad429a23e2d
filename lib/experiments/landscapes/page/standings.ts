import { formatLoss } from '../../format';
import { drawMarker, paperOf } from './canvas';
import { element } from './elements';
import { lastStep, type Run } from './paths';
import type { Theme } from './theme';

interface Row {
  readonly row: HTMLTableRowElement;
  readonly swatch: HTMLCanvasElement;
  readonly rate: HTMLTableCellElement;
  readonly height: HTMLTableCellElement;
}

/** Legend, switches and current heights of all optimizers, in one table. */
export class Standings {
  private readonly rows = new Map<string, Row>();

  /** @param onSwitch called when an optimizer is switched on or off */
  constructor(private readonly onSwitch: (id: string, on: boolean) => void) {}

  private rowOf({ id, name }: Run): Row {
    const known = this.rows.get(id);
    if (known) return known;
    const row = document.createElement('tr');
    const header = document.createElement('th');
    header.scope = 'row';
    const label = document.createElement('label');
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = true;
    box.id = `show-${id}`;
    box.addEventListener('change', () => {
      row.classList.toggle('off', !box.checked);
      this.onSwitch(id, box.checked);
    });
    const swatch = document.createElement('canvas');
    label.append(box, swatch, name);
    header.append(label);
    const [rate, height] = [document.createElement('td'), document.createElement('td')];
    height.id = `height-${id}`;
    row.append(header, rate, height);
    element('standings').append(row);
    const made = { row, swatch, rate, height };
    this.rows.set(id, made);
    return made;
  }

  /** Shows rates and styles of a new race. */
  show(runs: readonly Run[], theme: Theme): void {
    for (const run of runs) {
      const { swatch, rate } = this.rowOf(run);
      rate.textContent = run.rate;
      const { context, width, height } = paperOf(swatch);
      const style = theme.styles[run.style];
      context.setLineDash([...style.dash]);
      context.strokeStyle = style.colour;
      context.lineWidth = style.width;
      context.beginPath();
      context.moveTo(0, height / 2);
      context.lineTo(width, height / 2);
      context.stroke();
      context.setLineDash([]);
      drawMarker(context, run.style, width / 2, height / 2, 4.6, style.colour, theme.card);
    }
  }

  /** Shows where they are at a step, and who is lowest. */
  update(runs: readonly Run[], step: number, isOn: (id: string) => boolean): void {
    const heightNow = (run: Run): number => (step > lastStep(run) ? Infinity : run.descent.heights[step]);
    const lowest = Math.min(...runs.filter(({ id }) => isOn(id)).map(heightNow));
    for (const run of runs) {
      const { row, height } = this.rowOf(run);
      const now = heightNow(run);
      height.textContent = now < 1e-12 ? '< 1e-12' : formatLoss(now);
      row.classList.toggle('best', isOn(run.id) && Number.isFinite(now) && now === lowest);
    }
  }
}
