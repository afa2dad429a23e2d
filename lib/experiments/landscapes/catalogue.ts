import { FUNCTIONS_2D } from '../../problems/lanes/testFunctions2d';

/** A two-dimensional landscape of the corpus and how it is drawn. */
export interface PictureLandscape {
  /** Name of the family in the corpus. */
  readonly slug: string;
  readonly name: string;
  /** What makes it hard, in a sentence. */
  readonly about: string;
  /** The part that is shown, and that starts are drawn from: [lowest, highest] of x and of y. */
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  /** How heights above the minimum become colours. `log` where they span many powers of ten. */
  readonly scale: 'log' | 'linear';
  /** All global minima in the part that is shown. */
  readonly minima: readonly (readonly [x: number, y: number])[];
  /** The cell of the 3 × 3 grid of starts that is shown first, row by row from the lower left. */
  readonly firstStart: number;
}

const { PI } = Math;

export const PICTURE_LANDSCAPES: readonly PictureLandscape[] = [
  {
    slug: 'rosenbrock',
    name: 'Rosenbrock',
    about:
      'A bent valley: easy to fall into, hard to follow, because its floor is a hundred times flatter than its walls.',
    x: [-2, 2],
    y: [-1, 3],
    scale: 'log',
    minima: [[1, 1]],
    firstStart: 6,
  },
  {
    slug: 'ackley',
    name: 'Ackley',
    about: 'A funnel full of dents: each dent is a local minimum that holds whoever takes small steps.',
    x: [-4, 4],
    y: [-4, 4],
    scale: 'linear',
    minima: [[0, 0]],
    firstStart: 8,
  },
  {
    slug: 'beale',
    name: 'Beale',
    about: 'Sharp peaks at the corners around a plain with almost no slope.',
    x: [-4.5, 4.5],
    y: [-4.5, 4.5],
    scale: 'log',
    minima: [[3, 0.5]],
    firstStart: 5,
  },
  {
    slug: 'booth',
    name: 'Booth',
    about: 'A bowl, nine times as steep across as along, with its axes turned by 45 degrees.',
    x: [-4, 6],
    y: [-2, 8],
    scale: 'log',
    minima: [[1, 3]],
    firstStart: 0,
  },
  {
    slug: 'branin',
    name: 'Branin',
    about: 'Three minima, equally deep: which one is found depends on the start and on the first steps.',
    x: [-6, 13],
    y: [-1, 16],
    scale: 'log',
    minima: [
      [-PI, 12.275],
      [PI, 2.275],
      [3 * PI, 2.475],
    ],
    firstStart: 7,
  },
  {
    slug: 'styblinski-tang',
    name: 'Styblinski–Tang',
    about: 'Four basins, one of them the deepest; the ridges between them decide who ends where.',
    x: [-5, 5],
    y: [-5, 5],
    scale: 'linear',
    minima: [[-2.903534027771177, -2.903534027771177]],
    firstStart: 4,
  },
  {
    slug: 'matyas',
    name: 'Matyas',
    about: 'A gentle trough, twenty-five times as steep across as along.',
    x: [-5, 5],
    y: [-5, 5],
    scale: 'log',
    minima: [[0, 0]],
    firstStart: 2,
  },
  {
    slug: 'log-sum-exp',
    name: 'log-sum-exp',
    about: 'Three planes with rounded edges: far out the slope does not say how far the minimum is.',
    x: [-3, 3],
    y: [-3, 3],
    scale: 'linear',
    minima: [[-Math.LN2 / 2, 0]],
    firstStart: 8,
  },
  {
    slug: 'michalewicz',
    name: 'Michalewicz',
    about: 'Plateaus cut by two narrow trenches that cross at the minimum: on the plateaus there is no slope at all.',
    x: [0, PI],
    y: [0, PI],
    scale: 'linear',
    minima: [[2.185311961840168, PI / 2]],
    firstStart: 7,
  },
];

/** Value and gradient of a landscape. `out` gets the gradient. */
export function evaluatorOf(landscape: PictureLandscape): (x: number, y: number, out: [number, number]) => number {
  return FUNCTIONS_2D.find(({ name }) => name === landscape.name)!.evaluate;
}

/** The height above the lowest value, not below zero. */
export function heightOf(landscape: PictureLandscape): (x: number, y: number) => number {
  const evaluate = evaluatorOf(landscape);
  const slope: [number, number] = [0, 0];
  const lowest = Math.min(...landscape.minima.map(([x, y]) => evaluate(x, y, slope)));
  return (x, y) => {
    const height = evaluate(x, y, slope) - lowest;
    return height < 0 ? 0 : height;
  };
}
