import { COLOURS, comparisonStyle, LEARNED_STYLE, type LineStyle } from '../../lineStyles';

/** Everything that a canvas needs of the page's look; CSS has the rest. */
export interface Theme {
  readonly dark: boolean;
  readonly ink: string;
  readonly muted: string;
  readonly grid: string;
  readonly card: string;
  /** Around lines, so that they stand out from the surface. */
  readonly halo: string;
  readonly contour: string;
  /** Red, green, blue of heights from the lowest to the highest, evenly spaced. */
  readonly ramp: readonly (readonly [number, number, number])[];
  /** Of the learned optimizer, then of the baselines. */
  readonly styles: readonly LineStyle[];
  /** Momentum timescales, fastest first. */
  readonly timescales: readonly string[];
}

const STYLES: readonly LineStyle[] = [LEARNED_STYLE, ...[0, 1, 2, 3].map(comparisonStyle)];

/** The house's colours, lighter where the ground is dark; hues and dashes are the same. */
const ON_DARK: Readonly<Record<string, string>> = {
  [COLOURS.vermillion]: '#ff8a3d',
  [COLOURS.blue]: '#56b4e9',
  [COLOURS.green]: '#2cc79a',
  [COLOURS.purple]: '#e7a3c8',
  [COLOURS.black]: '#f2f4f6',
};

export const LIGHT: Theme = {
  dark: false,
  ink: '#1f2328',
  muted: '#57606a',
  grid: '#e6e8eb',
  card: '#ffffff',
  halo: 'rgba(255, 255, 255, 0.85)',
  contour: 'rgba(38, 62, 92, 0.26)',
  ramp: [
    [253, 250, 240],
    [226, 233, 226],
    [188, 208, 213],
    [150, 178, 199],
    [118, 144, 180],
    [98, 110, 152],
  ],
  styles: STYLES,
  timescales: ['#e0a97a', '#d55e00', '#8c2d04', '#1f2328'],
};

export const DARK: Theme = {
  dark: true,
  ink: '#e6edf3',
  muted: '#9aa5b1',
  grid: '#2a313a',
  card: '#161b22',
  halo: 'rgba(8, 11, 16, 0.8)',
  contour: 'rgba(190, 214, 240, 0.2)',
  ramp: [
    [14, 20, 30],
    [20, 36, 52],
    [29, 55, 75],
    [44, 76, 98],
    [66, 98, 121],
    [96, 122, 143],
  ],
  styles: STYLES.map((style) => ({ ...style, colour: ON_DARK[style.colour] })),
  timescales: ['#8a4f26', '#e07a2f', '#ffb888', '#f2f4f6'],
};

/** The theme in force: the page's own choice, else the system's. */
export function currentTheme(): Theme {
  const chosen = document.documentElement.dataset['theme'];
  const dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  return dark ? DARK : LIGHT;
}
