/** f(x, y) ≥ 0 with its gradient written into `out`, and the box that starts come from. */
export interface Function2d {
  readonly name: string;
  readonly low: readonly [number, number];
  readonly high: readonly [number, number];
  readonly evaluate: (x: number, y: number, out: [number, number]) => number;
}

const { PI, cos, exp, log, sin, sqrt } = Math;

function box(half: number): { low: [number, number]; high: [number, number] } {
  return { low: [-half, -half], high: [half, half] };
}

const rosenbrock: Function2d = {
  name: 'Rosenbrock',
  low: [-5, -5],
  high: [10, 10],
  evaluate(x, y, out) {
    const r = y - x * x;
    out[0] = -2 * (1 - x) - 400 * x * r;
    out[1] = 200 * r;
    return (1 - x) ** 2 + 100 * r * r;
  },
};

const ackley: Function2d = {
  name: 'Ackley',
  ...box(32.768),
  evaluate(x, y, out) {
    const radius = sqrt(0.5 * (x * x + y * y) + 1e-12);
    const bowl = 20 * exp(-0.2 * radius);
    const waves = exp(0.5 * (cos(2 * PI * x) + cos(2 * PI * y)));
    const slope = (0.2 * bowl * 0.5) / radius;
    out[0] = slope * x + waves * PI * sin(2 * PI * x);
    out[1] = slope * y + waves * PI * sin(2 * PI * y);
    return 20 - bowl + Math.E - waves;
  },
};

const beale: Function2d = {
  name: 'Beale',
  ...box(4.5),
  evaluate(x, y, out) {
    const a = 1.5 - x + x * y;
    const b = 2.25 - x + x * y * y;
    const c = 2.625 - x + x * y ** 3;
    out[0] = 2 * (a * (y - 1) + b * (y * y - 1) + c * (y ** 3 - 1));
    out[1] = 2 * (a * x + 2 * b * x * y + 3 * c * x * y * y);
    return a * a + b * b + c * c;
  },
};

const booth: Function2d = {
  name: 'Booth',
  ...box(10),
  evaluate(x, y, out) {
    const a = x + 2 * y - 7;
    const b = 2 * x + y - 5;
    out[0] = 2 * a + 4 * b;
    out[1] = 4 * a + 2 * b;
    return a * a + b * b;
  },
};

const styblinskiTang: Function2d = {
  name: 'Styblinski–Tang',
  ...box(5),
  evaluate(x, y, out) {
    out[0] = 2 * x ** 3 - 16 * x + 2.5;
    out[1] = 2 * y ** 3 - 16 * y + 2.5;
    return 0.5 * (x ** 4 - 16 * x * x + 5 * x + y ** 4 - 16 * y * y + 5 * y) + 80;
  },
};

const matyas: Function2d = {
  name: 'Matyas',
  ...box(10),
  evaluate(x, y, out) {
    out[0] = 0.52 * x - 0.48 * y;
    out[1] = 0.52 * y - 0.48 * x;
    return 0.26 * (x * x + y * y) - 0.48 * x * y;
  },
};

const branin: Function2d = {
  name: 'Branin',
  low: [-5, 0],
  high: [10, 15],
  evaluate(x, y, out) {
    const b = 5.1 / (4 * PI * PI);
    const r = y - b * x * x + (5 / PI) * x - 6;
    const s = 10 * (1 - 1 / (8 * PI));
    out[0] = 2 * r * (5 / PI - 2 * b * x) - s * sin(x);
    out[1] = 2 * r;
    return r * r + s * cos(x) + 10;
  },
};

const logSumExp: Function2d = {
  name: 'log-sum-exp',
  ...box(3),
  evaluate(x, y, out) {
    const terms = [x + 3 * y - 0.1, x - 3 * y - 0.1, -x - 0.1, 0];
    const largest = Math.max(...terms);
    const weights = terms.map((t) => exp(t - largest));
    const total = weights.reduce((a, b) => a + b, 0);
    out[0] = (weights[0] + weights[1] - weights[2]) / total;
    out[1] = (3 * weights[0] - 3 * weights[1]) / total;
    return largest + log(total);
  },
};

const michalewicz: Function2d = {
  name: 'Michalewicz',
  low: [0, 0],
  high: [PI, PI],
  evaluate(x, y, out) {
    const [u, v] = [(x * x) / PI, (2 * y * y) / PI];
    const [p, q] = [sin(u) ** 10, sin(v) ** 10];
    out[0] = -(cos(x) * p + sin(x) * 10 * sin(u) ** 9 * cos(u) * ((2 * x) / PI));
    out[1] = -(cos(y) * q + sin(y) * 10 * sin(v) ** 9 * cos(v) * ((4 * y) / PI));
    return 2 - (sin(x) * p + sin(y) * q);
  },
};

/** The two-dimensional test functions of the paper's ensemble. */
export const FUNCTIONS_2D: readonly Function2d[] = [
  rosenbrock,
  ackley,
  beale,
  booth,
  styblinskiTang,
  matyas,
  branin,
  logSumExp,
  michalewicz,
];
