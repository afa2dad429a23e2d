import type { Scalar, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { Bowl } from '../../lib/problems/families/bowl';
import { DependencyChain } from '../../lib/problems/families/dependencyChain';
import { Landscape } from '../../lib/problems/families/landscapes';
import { MatrixProductAlgorithm } from '../../lib/problems/families/matrixProduct';
import { MinMaxWell } from '../../lib/problems/families/minMaxWell';
import { ResidualNorm } from '../../lib/problems/families/norm';
import { OutwardSnake } from '../../lib/problems/families/outwardSnake';
import { Quadratic } from '../../lib/problems/families/quadratic';
import { Regression } from '../../lib/problems/families/regression';
import { SigmoidNetwork } from '../../lib/problems/families/sigmoidNetwork';
import { ProjectionQuadratic, SumOfQuadratics } from '../../lib/problems/families/symmetricQuadratics';
import type { ClassificationSamples } from '../../lib/problems/mlp';
import type { Batch, Objective } from '../../lib/problems/objective';
import { Combination } from '../../lib/problems/transforms/combination';
import { OuterObjective } from '../../lib/problems/transforms/outer';
import { PerturbedObjective } from '../../lib/problems/transforms/perturbed';
import { RescaledObjective } from '../../lib/problems/transforms/rescale';
import type { TensorFlow } from '../../lib/tfjs/backend';

type Formula = (tensors: Tensor[], batch: Batch) => Scalar;

/** The definitions of the corpus once more, in operations of TensorFlow.js, which differentiates them by itself. */
export function tensorFormulas(tf: TensorFlow): (objective: Objective) => Formula {
  const sumOfSquares = (x: Tensor): Scalar => tf.sum(tf.square(x));
  const total = (terms: Scalar[]): Scalar => terms.reduce((a, b) => tf.add(a, b));
  const [from, upTo] = [
    (x: Tensor, i: number): Tensor => tf.slice(x, i),
    (x: Tensor, n: number): Tensor => tf.slice(x, 0, n),
  ];

  function rows(data: Float32Array, size: number, batch: Batch): Tensor2D {
    const all = tf.tensor2d(data, [data.length / size, size]);
    return batch === null ? all : tf.gather(all, tf.tensor1d(batch, 'int32'));
  }

  function systemResidual({ matrix, target }: Quadratic | ResidualNorm, x: Tensor): Tensor {
    const W = tf.tensor2d(matrix, [target.length, matrix.length / target.length]);
    return tf.sub(tf.matMul(W, tf.reshape(x, [-1, 1])), tf.tensor2d(target, [target.length, 1]));
  }

  const landscapes: Readonly<Record<string, (x: Tensor, y: Tensor) => Tensor>> = {
    ackley: (x, y) => {
      const radius = tf.sqrt(tf.mul(0.5, tf.add(tf.square(x), tf.square(y))));
      const waves = tf.mul(0.5, tf.add(tf.cos(tf.mul(2 * Math.PI, x)), tf.cos(tf.mul(2 * Math.PI, y))));
      return tf.sub(tf.sub(20 + Math.E, tf.mul(20, tf.exp(tf.mul(-0.2, radius)))), tf.exp(waves));
    },
    beale: (x, y) =>
      total(
        [1.5, 2.25, 2.625].map((k, m) => {
          const power = [y, tf.square(y), tf.mul(y, tf.square(y))][m];
          return tf.square(tf.add(tf.sub(k, x), tf.mul(x, power))) as Scalar;
        }),
      ),
    booth: (x, y) =>
      tf.add(tf.square(tf.sub(tf.add(x, tf.mul(2, y)), 7)), tf.square(tf.sub(tf.add(tf.mul(2, x), y), 5))),
    branin: (x, y) => {
      const r = tf.sub(tf.add(tf.sub(y, tf.mul(5.1 / (4 * Math.PI ** 2), tf.square(x))), tf.mul(5 / Math.PI, x)), 6);
      return tf.add(tf.add(tf.square(r), tf.mul(10 * (1 - 1 / (8 * Math.PI)), tf.cos(x))), 10);
    },
    'log-sum-exp': (x, y) => {
      const terms = [
        tf.sub(tf.add(x, tf.mul(3, y)), 0.1),
        tf.sub(tf.sub(x, tf.mul(3, y)), 0.1),
        tf.sub(tf.neg(x), 0.1),
      ];
      return tf.log(tf.add(total(terms.map((t) => tf.exp(t) as Scalar)), 1));
    },
    matyas: (x, y) => tf.sub(tf.mul(0.26, tf.add(tf.square(x), tf.square(y))), tf.mul(tf.mul(0.48, x), y)),
    michalewicz: (x, y) => {
      const term = (t: Tensor, k: number): Tensor => {
        const s2 = tf.square(tf.sin(tf.mul(k / Math.PI, tf.square(t))));
        return tf.mul(tf.sin(t), tf.mul(tf.square(tf.square(s2)), s2));
      };
      return tf.sub(2, tf.add(term(x, 1), term(y, 2)));
    },
    rosenbrock: (x, y) => tf.add(tf.square(tf.sub(1, x)), tf.mul(100, tf.square(tf.sub(y, tf.square(x))))),
    'styblinski-tang': (x, y) => {
      const term = (t: Tensor): Tensor =>
        tf.add(tf.sub(tf.square(tf.square(t)), tf.mul(16, tf.square(t))), tf.mul(5, t));
      return tf.add(tf.mul(0.5, tf.add(term(x), term(y))), 80);
    },
  };

  /** Tensors: weights and biases of dense layers; sigmoid between the layers. */
  function logits(tensors: Tensor[], samples: ClassificationSamples, batch: Batch): Tensor2D {
    let values = rows(samples.features, samples.featureCount, batch);
    for (let t = 0; t < tensors.length; t += 2) {
      if (t > 0) values = tf.sigmoid(values);
      values = tf.add(tf.matMul(values, tensors[t] as Tensor2D), tensors[t + 1]);
    }
    return values;
  }

  function crossEntropy(z: Tensor2D, samples: ClassificationSamples, batch: Batch): Scalar {
    const labels = Int32Array.from(batch ?? samples.labels, (v) => (batch === null ? v : samples.labels[v]));
    const outputs = z.shape[1];
    if (outputs === 1) return tf.losses.sigmoidCrossEntropy(tf.reshape(tf.tensor1d(labels, 'float32'), [-1, 1]), z);
    return tf.losses.softmaxCrossEntropy(tf.oneHot(tf.tensor1d(labels, 'int32'), outputs), z);
  }

  function regularized(loss: Scalar, tensors: Tensor[]): Scalar {
    return tf.add(loss, tf.mul(1e-3 / tensors.length, total(tensors.map(sumOfSquares))));
  }

  function algorithm({ size: n }: MatrixProductAlgorithm, [a, b]: Tensor[]): Scalar {
    const q = n * n;
    const onehots = tf.reshape(tf.eye(q), [q, n, n]);
    const [left, right] = [
      tf.reshape(tf.tile(tf.reshape(onehots, [q, 1, q]), [1, q, 1]), [q * q, n, n]),
      tf.tile(onehots, [q, 1, 1]),
    ];
    const wanted = tf.reshape(tf.matMul(left, right), [q * q, q]);
    const products = tf.mul(
      tf.matMul(tf.reshape(left, [q * q, q]), a as Tensor2D),
      tf.matMul(tf.reshape(right, [q * q, q]), b as Tensor2D),
    );
    // What an orthonormal basis of the columns does not reach.
    const columns = tf.unstack(tf.transpose(products)) as Tensor1D[];
    const basis = tf.stack(tf.linalg.gramSchmidt(columns) as Tensor1D[]) as Tensor2D;
    return sumOfSquares(tf.sub(wanted, tf.matMul(basis, tf.matMul(basis, wanted), true)));
  }

  return function formula(objective: Objective): Formula {
    if (objective instanceof PerturbedObjective) return formula(objective.inner);
    if (objective instanceof OuterObjective) {
      const inner = formula(objective.inner);
      return (tensors, batch) => tf.sub(tf.log(tf.add(inner(tensors, batch), 1e-6)), Math.log(1e-6));
    }
    if (objective instanceof RescaledObjective) {
      const inner = formula(objective.inner);
      return (tensors, batch) =>
        inner(
          tensors.map((tensor, t) => tf.div(tensor, objective.scales[t])),
          batch,
        );
    }
    if (objective instanceof Combination) {
      return (tensors, batch) => {
        let next = 0;
        return total(
          objective.parts.map((part) => {
            next += part.parameters.length;
            return formula(part)(tensors.slice(next - part.parameters.length, next), batch);
          }),
        );
      };
    }
    if (objective instanceof Quadratic) return ([x]) => tf.mul(0.5, sumOfSquares(systemResidual(objective, x)));
    if (objective instanceof ResidualNorm) {
      return ([x]) => {
        const sizes = tf.add(tf.abs(systemResidual(objective, x)), 1e-6);
        return tf.pow(tf.sum(tf.pow(sizes, objective.power)), 1 / objective.power);
      };
    }
    if (objective instanceof Bowl) {
      const { condition, angle } = objective;
      const root = Math.sqrt(condition);
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const matrix = [root * c, -root * s, s, c];
      return ([x]) => tf.mul(0.5, sumOfSquares(tf.matMul(tf.tensor2d(matrix, [2, 2]), tf.reshape(x, [2, 1]))));
    }
    if (objective instanceof Regression) {
      const { samples } = objective.data;
      return (tensors, batch) => regularized(crossEntropy(logits(tensors, samples, batch), samples, batch), tensors);
    }
    if (objective instanceof SigmoidNetwork) {
      const { samples } = objective;
      return (tensors, batch) => regularized(crossEntropy(logits(tensors, samples, batch), samples, batch), tensors);
    }
    if (objective instanceof Landscape) {
      return ([x]) => tf.sum(landscapes[objective.name](upTo(x, 1), from(x, 1)));
    }
    if (objective instanceof MatrixProductAlgorithm) return (tensors) => algorithm(objective, tensors);
    if (objective instanceof DependencyChain) {
      return ([x]) => {
        const squares = tf.square(x);
        const quotients = tf.div(from(squares, 1), tf.add(upTo(squares, objective.links), 1e-6));
        return tf.add(tf.sum(quotients), tf.sum(upTo(squares, 1)));
      };
    }
    if (objective instanceof MinMaxWell) {
      return ([x]) => {
        const squares = tf.square(x);
        return tf.sub(tf.add(tf.max(squares), tf.div(1, tf.min(squares))), 2);
      };
    }
    if (objective instanceof OutwardSnake) {
      const { size, samples, sampleCount } = objective;
      return ([x], batch) => {
        const data = rows(samples, size, batch);
        const count = batch?.length ?? sampleCount;
        const radius = tf.add(tf.sqrt(sumOfSquares(x)), 1e-6);
        const pull = tf.div(tf.mean(tf.slice(data, [0, 0], [count, 1])), radius);
        const distance = tf.sub(from(x, 1), tf.mul(Math.PI, tf.cos(upTo(x, size - 1))));
        const scaled = tf.mul(tf.slice(data, [0, 1]), distance);
        return tf.add(pull, tf.div(sumOfSquares(scaled), count));
      };
    }
    if (objective instanceof SumOfQuadratics) {
      return ([x], batch) => {
        const data = rows(objective.samples, objective.size, batch);
        const difference = tf.sub(sumOfSquares(tf.sub(x, data)), sumOfSquares(data));
        return tf.div(difference, data.shape[0]);
      };
    }
    if (objective instanceof ProjectionQuadratic) {
      return ([x], batch) => {
        const data = rows(objective.samples, objective.size, batch);
        return tf.div(sumOfSquares(tf.mul(x, data)), data.shape[0]);
      };
    }
    throw new Error(`no formula for ${objective.name}`);
  };
}
