/** An optimizer that updates the arrays it was made for in place. */
export interface ArrayOptimizer {
  step(gradients: readonly Float32Array[]): void;
  /** The parameters to evaluate, where they differ from the trained ones (lookahead). */
  evaluationParameters?(): readonly Float32Array[];
  dispose?(): void;
}

export type MakeOptimizer = (parameters: readonly Float32Array[]) => ArrayOptimizer;

const doubles = (arrays: readonly Float32Array[]): Float64Array[] => arrays.map((a) => new Float64Array(a.length));

function forEachValue(
  parameters: readonly Float32Array[],
  gradients: readonly Float32Array[],
  update: (parameter: Float32Array, gradient: Float32Array, tensor: number, index: number) => void,
): void {
  for (let t = 0; t < parameters.length; t++) {
    const [parameter, gradient] = [parameters[t], gradients[t]];
    for (let i = 0; i < parameter.length; i++) update(parameter, gradient, t, i);
  }
}

export interface AdamOptions {
  readonly learningRate: number;
  /** Decay of the mean gradient. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the mean squared gradient. Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
}

/** Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1), with bias correction. */
export function adam({ learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions): MakeOptimizer {
  return (parameters) => {
    const [mean, square] = [doubles(parameters), doubles(parameters)];
    let [beta1Power, beta2Power] = [1, 1];
    return {
      step(gradients) {
        beta1Power *= beta1;
        beta2Power *= beta2;
        forEachValue(parameters, gradients, (parameter, gradient, t, i) => {
          const g = gradient[i];
          const m = (mean[t][i] = beta1 * mean[t][i] + (1 - beta1) * g);
          const v = (square[t][i] = beta2 * square[t][i] + (1 - beta2) * g * g);
          parameter[i] -= (learningRate * (m / (1 - beta1Power))) / (Math.sqrt(v / (1 - beta2Power)) + epsilon);
        });
      },
    };
  };
}

export interface RmsPropOptions {
  readonly learningRate: number;
  /** Decay of the mean squared gradient. Default 0.9. */
  readonly decay?: number;
  /** Default 1e-7. */
  readonly epsilon?: number;
}

/** RMSProp (Tieleman & Hinton 2012, lecture 6.5), without momentum. */
export function rmsProp({ learningRate, decay = 0.9, epsilon = 1e-7 }: RmsPropOptions): MakeOptimizer {
  return (parameters) => {
    const square = doubles(parameters);
    return {
      step(gradients) {
        forEachValue(parameters, gradients, (parameter, gradient, t, i) => {
          const g = gradient[i];
          const v = (square[t][i] = decay * square[t][i] + (1 - decay) * g * g);
          parameter[i] -= (learningRate * g) / (Math.sqrt(v) + epsilon);
        });
      },
    };
  };
}

export interface MomentumOptions {
  readonly learningRate: number;
  /** Share of the last step kept. Default 0.9. */
  readonly momentum?: number;
}

/** Gradient descent with momentum (Polyak 1964): v ← μ·v + g, θ ← θ − rate·v. */
export function momentum({ learningRate, momentum: mu = 0.9 }: MomentumOptions): MakeOptimizer {
  return (parameters) => {
    const velocity = doubles(parameters);
    return {
      step(gradients) {
        forEachValue(parameters, gradients, (parameter, gradient, t, i) => {
          const v = (velocity[t][i] = mu * velocity[t][i] + gradient[i]);
          parameter[i] -= learningRate * v;
        });
      },
    };
  };
}

export interface SgdOptions {
  readonly learningRate: number;
}

/** Plain gradient descent: θ ← θ − rate·g. */
export function sgd({ learningRate }: SgdOptions): MakeOptimizer {
  return (parameters) => ({
    step(gradients) {
      forEachValue(parameters, gradients, (parameter, gradient, _, i) => {
        parameter[i] -= learningRate * gradient[i];
      });
    },
  });
}
