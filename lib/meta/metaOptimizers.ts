/** State of a meta-optimizer by name, for checkpoints. */
export type MetaOptimizerState = Readonly<Record<string, Float64Array>>;

/** An optimizer of the meta-parameters: a flat vector in double precision. */
export interface MetaOptimizer {
  /**
   * One update of `parameters`, in place.
   * @param clipNorm bound of the gradient's norm; Infinity: none
   * @returns the gradient's norm before clipping
   */
  step(parameters: Float64Array, gradient: Float64Array, learningRate: number, clipNorm: number): number;
  /** Copies of all that the next step depends on. */
  exportState(): MetaOptimizerState;
  /** @throws RangeError naming the array that is missing or of another length; nothing has changed then */
  importState(state: MetaOptimizerState): void;
}

/** Which meta-optimizer, with its constants. */
export type MetaOptimizerConfig =
  | {
      readonly kind: 'adam';
      readonly beta1?: number;
      readonly beta2?: number;
      readonly epsilon?: number;
      readonly weightDecay?: number;
    }
  | { readonly kind: 'rmsprop'; readonly decay?: number; readonly epsilon?: number; readonly bound?: number };

/** The paper's meta-optimizer and its rate. */
export const PAPER_META_OPTIMIZER: MetaOptimizerConfig = { kind: 'rmsprop', decay: 0.9, epsilon: 1e-20, bound: 1e4 };
export const PAPER_META_RATE = 1e-6;

/** @throws RangeError on an unknown kind */
export function createMetaOptimizer(config: MetaOptimizerConfig, size: number): MetaOptimizer {
  switch (config.kind) {
    case 'adam':
      return new MetaAdam(size, config.beta1, config.beta2, config.epsilon, config.weightDecay);
    case 'rmsprop':
      return new MetaRmsProp(size, config.decay, config.epsilon, config.bound);
    default:
      throw new RangeError(
        `kind: expected 'adam' or 'rmsprop', got ${JSON.stringify((config as { readonly kind: unknown }).kind)}`,
      );
  }
}

function checkState(state: MetaOptimizerState, lengths: Readonly<Record<string, number>>): void {
  for (const [name, length] of Object.entries(lengths)) {
    if (state[name]?.length === length) continue;
    throw new RangeError(`state.${name}: expected length ${length}, got ${state[name]?.length ?? 'none'}`);
  }
}

/**
 * Adam (Kingma & Ba 2015) with clipping of the global gradient norm; with `weightDecay` AdamW (Loshchilov & Hutter 2019):
 * each step also takes learningRate·weightDecay·parameter away.
 */
export class MetaAdam implements MetaOptimizer {
  steps = 0;
  readonly first: Float64Array;
  readonly second: Float64Array;

  constructor(
    size: number,
    private readonly beta1 = 0.9,
    private readonly beta2 = 0.99,
    private readonly epsilon = 1e-8,
    private readonly weightDecay = 0,
  ) {
    this.first = new Float64Array(size);
    this.second = new Float64Array(size);
  }

  /** As of `MetaOptimizer`. A gradient that is not finite moves nothing. */
  step(parameters: Float64Array, gradient: Float64Array, learningRate: number, clipNorm: number): number {
    const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    if (!Number.isFinite(norm)) return norm;
    const scale = norm > clipNorm ? clipNorm / norm : 1;
    this.steps++;
    const correction1 = 1 - this.beta1 ** this.steps;
    const correction2 = 1 - this.beta2 ** this.steps;
    for (let i = 0; i < parameters.length; i++) {
      const g = gradient[i] * scale;
      this.first[i] = this.beta1 * this.first[i] + (1 - this.beta1) * g;
      this.second[i] = this.beta2 * this.second[i] + (1 - this.beta2) * g * g;
      if (this.weightDecay > 0) parameters[i] -= learningRate * this.weightDecay * parameters[i];
      parameters[i] -=
        (learningRate * (this.first[i] / correction1)) / (Math.sqrt(this.second[i] / correction2) + this.epsilon);
    }
    return norm;
  }

  exportState(): MetaOptimizerState {
    return { steps: Float64Array.of(this.steps), first: this.first.slice(), second: this.second.slice() };
  }

  importState(state: MetaOptimizerState): void {
    checkState(state, { steps: 1, first: this.first.length, second: this.second.length });
    this.steps = state['steps'][0];
    this.first.set(state['first']);
    this.second.set(state['second']);
  }
}

/**
 * RMSProp as the released code meta-trains with it (metaopt.py; tf.train.RMSPropOptimizer): entries that are not finite
 * count as 0, each entry is bounded by ±`bound`; s ← decay·s + (1 − decay)·g², from s = 1; θ ← θ − rate·g/√(s + ε).
 */
export class MetaRmsProp implements MetaOptimizer {
  private readonly meanSquare: Float64Array;

  constructor(
    size: number,
    private readonly decay = 0.9,
    private readonly epsilon = 1e-20,
    private readonly bound = 1e4,
  ) {
    this.meanSquare = new Float64Array(size).fill(1);
  }

  /** As of `MetaOptimizer`; the norm is that of the bounded entries. */
  step(parameters: Float64Array, gradient: Float64Array, learningRate: number, clipNorm: number): number {
    const bounded = gradient.map((g) => (Number.isFinite(g) ? Math.min(Math.max(g, -this.bound), this.bound) : 0));
    const norm = Math.sqrt(bounded.reduce((sum, g) => sum + g * g, 0));
    const scale = norm > clipNorm ? clipNorm / norm : 1;
    for (let i = 0; i < parameters.length; i++) {
      const g = bounded[i] * scale;
      this.meanSquare[i] = this.decay * this.meanSquare[i] + (1 - this.decay) * g * g;
      parameters[i] -= (learningRate * g) / Math.sqrt(this.meanSquare[i] + this.epsilon);
    }
    return norm;
  }

  exportState(): MetaOptimizerState {
    return { meanSquare: this.meanSquare.slice() };
  }

  importState(state: MetaOptimizerState): void {
    checkState(state, { meanSquare: this.meanSquare.length });
    this.meanSquare.set(state['meanSquare']);
  }
}

/** How the rate goes over a run. */
export type RateSchedule =
  | { readonly kind: 'constant'; readonly rate: number }
  | { readonly kind: 'cosine'; readonly peak: number; readonly final: number };

/** The rate at `progress`, 0 to 1, of a run. */
export function rateAt(schedule: RateSchedule, progress: number): number {
  return schedule.kind === 'constant' ? schedule.rate : cosineRate(schedule.peak, schedule.final, progress);
}

/** Linear warm-up over the first 2 % of the run, then a cosine down to `final` times the peak. */
export function cosineRate(peak: number, final: number, progress: number): number {
  const warmUp = Math.min(1, progress / 0.02 + 0.02);
  return peak * warmUp * (final + (1 - final) * 0.5 * (1 + Math.cos(Math.PI * Math.min(progress, 1))));
}
