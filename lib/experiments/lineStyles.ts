/** Colours that people with any colour vision tell apart (Okabe & Ito 2008, "Color Universal Design"). */
export const COLOURS = {
  vermillion: '#D55E00',
  blue: '#0072B2',
  green: '#009E73',
  purple: '#CC79A7',
  orange: '#E69F00',
  sky: '#56B4E9',
  yellow: '#F0E442',
  black: '#000000',
} as const;

/** How one line is drawn. Lines differ in dash as well as in colour, so that they stay apart in grey print. */
export interface LineStyle {
  readonly colour: string;
  /** Lengths of dash and gap in pixels; empty: solid. */
  readonly dash: readonly number[];
  readonly width: number;
}

/** The learned optimizer is the solid, heavy line of every figure. */
export const LEARNED_STYLE: LineStyle = { colour: COLOURS.vermillion, dash: [], width: 2.6 };

const OTHER_STYLES: readonly LineStyle[] = [
  { colour: COLOURS.blue, dash: [7, 3], width: 1.8 },
  { colour: COLOURS.green, dash: [2, 2.5], width: 1.8 },
  { colour: COLOURS.purple, dash: [9, 3, 2, 3], width: 1.8 },
  { colour: COLOURS.black, dash: [4, 4], width: 1.8 },
  { colour: COLOURS.sky, dash: [12, 4], width: 1.8 },
  { colour: COLOURS.orange, dash: [5, 2, 1, 2], width: 1.8 },
];

/** A variant of the learned optimizer: near its colour, thinner and dashed. */
export const VARIANT_STYLE: LineStyle = { colour: COLOURS.orange, dash: [8, 2], width: 2.2 };

/** A level to compare with, not a measurement. */
export const LEVEL_STYLE: LineStyle = { colour: COLOURS.black, dash: [3, 3], width: 1 };

/** Style of the n-th comparison in a figure. */
export function comparisonStyle(index: number): LineStyle {
  return OTHER_STYLES[index % OTHER_STYLES.length];
}
