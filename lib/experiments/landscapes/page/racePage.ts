import { formatRate } from '../../format';
import { PICTURE_LANDSCAPES, type PictureLandscape } from '../catalogue';
import type { PageLandscape, PageSetting } from '../pageData';
import { paperOf } from './canvas';
import { element, onChoice, onDrag, onSelect, onSlide } from './elements';
import { drawLineChart, stepAt, type ChartLine } from './lineChart';
import { loadLandscape } from './loading';
import { MapView, pointAt } from './mapView';
import { Player } from './player';
import { ReliefView, type Camera } from './reliefView';
import { heldRate } from './liveRun';
import { LEARNED, raceOf, type Race } from './runs';
import { Standings } from './standings';
import { currentTheme } from './theme';

/** Heights are drawn from here up. */
const LOWEST = 1e-12;
/** Steps that the chart of the momenta covers, around the one that is shown. */
const WINDOW = 240;
const FIRST_CAMERA: Camera = { yaw: 0.55, pitch: 0.9 };
const HELP = {
  map: 'Click or drag to start somewhere else (or arrow keys on the map). ★ minimum, ○ start.',
  relief: 'Drag to turn (or arrow keys on the picture). ★ minimum, ○ start.',
};

/** The page: what is chosen, what follows from it, and how it is drawn. */
class RacePage {
  private landscape!: PictureLandscape;
  private data!: PageLandscape;
  /** Undefined until the first landscape is there. */
  private race: Race | undefined;
  private start: number | readonly [number, number] = 0;
  private rate: number;
  private tuned = true;
  private view: 'map' | 'relief' = 'map';
  private camera = FIRST_CAMERA;
  private coordinate = 0;
  private readonly off = new Set<string>();
  private readonly map = new MapView();
  private readonly relief = new ReliefView();
  private readonly player: Player;
  private readonly standings: Standings;
  private readonly surface = element<HTMLCanvasElement>('surface');
  private drawPending = false;
  private racePending = false;

  constructor(private readonly setting: PageSetting) {
    this.rate = setting.firstRate;
    this.player = new Player(setting.steps, () => this.invalidate());
    this.standings = new Standings((id, on) => {
      if (on) this.off.delete(id);
      else this.off.add(id);
      this.invalidate();
    });
  }

  /** Draws soon, once, however many things have changed. */
  private readonly invalidate = (): void => {
    if (this.drawPending) return;
    this.drawPending = true;
    requestAnimationFrame(() => {
      this.drawPending = false;
      if (this.racePending) this.run();
      if (this.race) this.draw(this.race);
    });
  };

  /** Runs again before the next drawing. */
  private readonly rerun = (): void => {
    this.racePending = true;
    this.invalidate();
  };

  private run(): void {
    this.racePending = false;
    const { start, rate, tuned } = this;
    const race = raceOf(this.landscape, this.data, this.setting, { start, rate, tuned });
    this.race = race;
    this.standings.show(race.runs, currentTheme());
    this.describe(race);
  }

  /** Says what is shown. */
  private describe(race: Race): void {
    const { rates, learned, steps } = this.setting;
    const { start, recorded } = race;
    const [x, y] = start.map((value) => Number(value.toFixed(2)).toString().replace('-', '−'));
    const where = recorded ? `${Number(this.start) + 1} of ${this.data.starts.length}` : 'your own';
    element('start-value').textContent = `${where}: (${x}, ${y})`;
    element('rate-value').textContent = formatRate(rates[this.rate]);
    const wanted = rates[this.rate];
    const held = heldRate(learned, wanted);
    const source = recorded
      ? 'Learned optimizer: recorded by the package.'
      : 'Your start: the learned optimizer runs live in this page, from the same weights.';
    const bound =
      held === wanted
        ? ''
        : ` It takes ${formatRate(wanted)} as a hint and begins at ${formatRate(held)}, the nearer end of the range that its weights allow.`;
    const others = this.tuned
      ? ' The others run at the rate that did best over all nine starts (half-decades).'
      : ` The others run at ${formatRate(wanted)}.`;
    element('status').textContent = source + bound + others;
    element('rate-title').textContent = this.tuned ? 'Tuned rate' : 'Rate';
    element('about').textContent = this.landscape.about;
    this.surface.setAttribute(
      'aria-label',
      `${this.landscape.name}: trajectories of ${race.runs.length} optimizers over ${steps} steps from (${x}, ${y})`,
    );
  }

  private draw(race: Race): void {
    const { player, setting, landscape } = this;
    const theme = currentTheme();
    const { step, isPlaying } = player;
    const isOn = (id: string): boolean => !this.off.has(id);
    const runs = race.runs.filter(({ id }) => isOn(id));
    const paper = paperOf(this.surface);
    if (this.view === 'map') this.map.draw(paper, landscape, runs, race.start, step, theme);
    else this.relief.draw(paper, landscape, runs, race.start, step, theme, this.camera);
    this.standings.update(race.runs, step, isOn);

    const axis = { from: 0, to: setting.steps, step };
    drawLineChart(
      element('heights'),
      runs.map(({ style, descent }) => ({
        ...theme.styles[style],
        value: (i) => Math.max(descent.heights[i], LOWEST),
      })),
      { ...axis, log: true, low: LOWEST, high: 1e6 },
      theme,
    );
    const { learned } = race;
    const shown = isOn(LEARNED);
    const learnedLines = (lines: ChartLine[]): ChartLine[] => (shown ? lines : []);
    const { colour } = theme.styles[0];
    drawLineChart(
      element('etas'),
      learnedLines([
        { colour, dash: [], width: 2, value: (i) => Math.exp(learned.logRates[2 * i]) },
        { colour, dash: [5, 3], width: 2, value: (i) => Math.exp(learned.logRates[2 * i + 1]) },
      ]),
      { ...axis, log: true },
      theme,
    );
    const { timescales: S } = learned;
    drawLineChart(
      element('momenta'),
      learnedLines(
        // The slowest on top: the fastest swings most.
        Array.from({ length: S }, (_, k) => S - 1 - k).map((s) => ({
          colour: theme.timescales[s % theme.timescales.length],
          dash: [],
          width: 1.8,
          value: (i: number) => learned.momenta[2 * S * i + S * this.coordinate + s],
        })),
      ),
      { ...this.window(), step, log: false, low: -1.5, high: 1.5 },
      theme,
    );

    element('step').textContent = `${step.toLocaleString('en')} / ${setting.steps.toLocaleString('en')}`;
    element<HTMLInputElement>('scrubber').value = String(step);
    const play = element('play');
    play.classList.toggle('playing', isPlaying);
    play.setAttribute('aria-label', isPlaying ? 'Pause' : 'Play');
  }

  /** The steps around the one that is shown. */
  private window(): { readonly from: number; readonly to: number } {
    const { steps } = this.setting;
    const from = Math.max(0, Math.min(this.player.step - WINDOW / 2, steps - WINDOW));
    return { from, to: Math.min(from + WINDOW, steps) };
  }

  async choose(slug: string): Promise<void> {
    const data = await loadLandscape(slug);
    this.landscape = PICTURE_LANDSCAPES.find((landscape) => landscape.slug === slug)!;
    this.data = data;
    this.chooseStart(Math.min(this.landscape.firstStart, data.starts.length - 1));
    this.player.go(0);
  }

  private chooseStart(start: number | readonly [number, number]): void {
    this.start = start;
    if (typeof start === 'number') element<HTMLInputElement>('start').value = String(start);
    this.rerun();
  }

  private moveStart(dx: number, dy: number): void {
    if (!this.race) return;
    const moved = ([low, high]: readonly [number, number], value: number, by: number): number =>
      Math.min(Math.max(value + by * (high - low), low), high);
    const [x, y] = this.race.start;
    this.chooseStart([moved(this.landscape.x, x, dx), moved(this.landscape.y, y, dy)]);
  }

  private turn(yaw: number, pitch: number): void {
    this.camera = {
      yaw: this.camera.yaw + yaw,
      pitch: Math.min(Math.max(this.camera.pitch + pitch, 0.25), 1.35),
    };
    this.invalidate();
  }

  connect(): void {
    const { player, setting } = this;
    const list = element<HTMLSelectElement>('landscape');
    for (const { slug, name } of PICTURE_LANDSCAPES) {
      if (setting.landscapes?.includes(slug)) list.add(new Option(name, slug));
    }
    onSelect('landscape', (slug) => void this.choose(slug));
    onSelect('speed', (value) => (player.speed = Number(value)));
    onSelect('theme', (value) => {
      document.documentElement.dataset['theme'] = value;
      this.rerun();
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', this.rerun);
    onChoice('view', (value) => this.show(value as 'map' | 'relief'));
    onChoice('rates', (value) => {
      this.tuned = value === 'tuned';
      this.rerun();
    });
    onChoice('coordinate', (value) => {
      this.coordinate = Number(value);
      this.invalidate();
    });
    onSlide('scrubber', (step) => {
      player.pause();
      player.go(step);
    }).max = String(setting.steps);
    onSlide('start', (index) => this.chooseStart(index)).max = '8';
    const rate = onSlide('rate', (index) => {
      this.rate = index;
      this.rerun();
    });
    rate.max = String(setting.rates.length - 1);
    rate.value = String(this.rate);
    const jump = (step: () => number) => () => {
      player.pause();
      player.go(step());
    };
    element('restart').addEventListener('click', () => player.go(0));
    element('back').addEventListener(
      'click',
      jump(() => player.step - 1),
    );
    element('forward').addEventListener(
      'click',
      jump(() => player.step + 1),
    );
    element('play').addEventListener('click', () => player.toggle());
    this.connectCanvases();
    document.addEventListener('keydown', (event) => this.onKey(event));
    this.show('map');
    const { name } = setting.learned;
    element('provenance').textContent =
      `learned-optimizer ${setting.version}, weights ${name}, seed ${setting.seed}, ${setting.steps.toLocaleString('en')} steps. ` +
      'Adam, RMSProp and SGD are computed in this page, in single precision, by the code of the package. ' +
      'Gradients are exact; all start from the same point.';
    element('timescales').textContent =
      `${setting.learned.architecture.timescales} timescales: averages of the gradient, the fastest in the palest colour; the steps around the one that is shown.`;
  }

  private connectCanvases(): void {
    const { surface, player, setting } = this;
    onDrag(surface, (x, y, moved) => {
      if (!this.race) return;
      if (this.view === 'relief') return this.turn(moved.x * 0.008, moved.y * 0.006);
      this.chooseStart(pointAt(this.landscape, x / surface.clientWidth, y / surface.clientHeight));
    });
    for (const id of ['heights', 'etas', 'momenta']) {
      const canvas = element<HTMLCanvasElement>(id);
      onDrag(canvas, (x) => {
        player.pause();
        player.go(stepAt(canvas, x, id === 'momenta' ? this.window() : { from: 0, to: setting.steps }));
      });
    }
    const observer = new ResizeObserver(() => this.invalidate());
    for (const id of ['surface', 'heights', 'etas', 'momenta']) observer.observe(element(id));
  }

  private show(view: 'map' | 'relief'): void {
    this.view = view;
    this.surface.classList.toggle('relief', view === 'relief');
    element('surface-help').textContent = HELP[view];
    this.invalidate();
  }

  /** Keys of the whole page; those of a control that has the focus are left to it. */
  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    const onSurface = target === this.surface;
    if (['INPUT', 'SELECT'].includes(target.tagName)) return;
    if (target.tagName === 'BUTTON' && event.key === ' ') return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (onSurface && arrow !== undefined) {
      if (this.view === 'map') this.moveStart(0.02 * arrow[0], 0.02 * arrow[1]);
      else this.turn(0.08 * arrow[0], 0.06 * arrow[1]);
    } else if (event.key === ' ') {
      this.player.toggle();
    } else if (arrow !== undefined && arrow[0] !== 0) {
      this.player.pause();
      this.player.go(this.player.step + arrow[0]);
    } else if (event.key === 'Home' || event.key === 'End') {
      this.player.go(event.key === 'Home' ? 0 : this.setting.steps);
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Begins to play, unless the system asks for little motion. */
  begin(): void {
    if (!matchMedia('(prefers-reduced-motion: reduce)').matches) this.player.play();
  }
}

/** Fills the page and starts to play. */
export async function startPage(setting: PageSetting): Promise<void> {
  const page = new RacePage(setting);
  page.connect();
  await page.choose(setting.landscapes?.[0] ?? PICTURE_LANDSCAPES[0].slug);
  page.begin();
}
