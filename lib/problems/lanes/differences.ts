import type { FloatArray } from '../../../bindings/types';
import type { Random } from '../../random';
import type { LaneMembers } from './family';

/**
 * Product of a vector with the Hessian of the loss whose gradient `evaluate` would give now: the central difference
 * (∇f(θ + hv) − ∇f(θ − hv))/2h on the same minibatches, h one per lane: ε^(1/3)·max(1, ‖θ‖∞)/‖v‖∞. Its relative error is
 * about ε^(2/3) of the gradient's size: 4e-11 in double precision, 2e-5 in single; more where f is not smooth within h.
 *
 * @param random the random numbers that the gradient was drawn with, from the beginning, each time it is called
 * @param product out; like θ, [blocks][entries][width]
 */
export function differenceProduct(
  members: LaneMembers,
  blocks: number,
  width: number,
  theta: FloatArray,
  vector: FloatArray,
  product: FloatArray,
  random: () => Random,
): void {
  const running = members.running();
  const before = running.map((array) => array.slice());
  const entries = theta.length / (blocks * width);
  const root = Math.cbrt(theta instanceof Float32Array ? 2 ** -23 : 2 ** -52);
  const steps = new Float64Array(blocks * width);
  for (let b = 0; b < blocks; b++) {
    for (let lane = 0; lane < width; lane++) {
      let [size, length] = [1, 0];
      for (let i = 0, k = b * entries * width + lane; i < entries; i++, k += width) {
        size = Math.max(size, Math.abs(theta[k]));
        length = Math.max(length, Math.abs(vector[k]));
      }
      steps[b * width + lane] = length > 0 && length < Infinity ? (root * size) / length : 0;
    }
  }
  const moved = theta.slice();
  const other = theta.slice();
  const gradientAt = (side: number, out: FloatArray): void => {
    for (let b = 0, k = 0; b < blocks; b++) {
      for (let i = 0; i < entries; i++) {
        for (let lane = 0; lane < width; lane++, k++) moved[k] = theta[k] + side * steps[b * width + lane] * vector[k];
      }
    }
    running.forEach((array, i) => array.set(before[i]));
    members.evaluate(moved, null, out, random());
  };
  gradientAt(1, product);
  gradientAt(-1, other);
  for (let b = 0, k = 0; b < blocks; b++) {
    for (let i = 0; i < entries; i++) {
      for (let lane = 0; lane < width; lane++, k++) {
        const h = steps[b * width + lane];
        product[k] = h > 0 ? (product[k] - other[k]) / (2 * h) : 0;
      }
    }
  }
}
