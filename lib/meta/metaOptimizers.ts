/** Adam (Kingma & Ba 2015) on a flat vector in double precision, with clipping of the global gradient norm. */
export class MetaAdam {
  steps = 0;
  readonly first: Float64Array;
  readonly second: Float64Array;

  constructor(
    size: number,
    private readonly beta1 = 0.9,
    private readonly beta2 = 0.99,
    private readonly epsilon = 1e-8,
  ) {
    this.first = new Float64Array(size);
    this.second = new Float64Array(size);
  }

  /** @returns the gradient's norm before clipping */
  step(parameters: Float64Array, gradient: Float64Array, learningRate: number, clipNorm: number): number {
    const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    // A gradient that is no number moves nothing.
    if (!Number.isFinite(norm)) return norm;
    const scale = norm > clipNorm ? clipNorm / norm : 1;
    this.steps++;
    const correction1 = 1 - this.beta1 ** this.steps;
    const correction2 = 1 - this.beta2 ** this.steps;
    for (let i = 0; i < parameters.length; i++) {
      const g = gradient[i] * scale;
      this.first[i] = this.beta1 * this.first[i] + (1 - this.beta1) * g;
      this.second[i] = this.beta2 * this.second[i] + (1 - this.beta2) * g * g;
      parameters[i] -=
        (learningRate * (this.first[i] / correction1)) / (Math.sqrt(this.second[i] / correction2) + this.epsilon);
    }
    return norm;
  }
}

/** Linear warm-up over the first 2 % of the run, then a cosine down to `final` times the peak. */
export function cosineRate(peak: number, final: number, progress: number): number {
  const warmUp = Math.min(1, progress / 0.02 + 0.02);
  return peak * warmUp * (final + (1 - final) * 0.5 * (1 + Math.cos(Math.PI * Math.min(progress, 1))));
}
